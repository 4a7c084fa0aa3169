"""What a run will cost, before it is paid for."""

LOCAL = "local/"


def count_tokens(text: str) -> int:
    """Return about how many tokens a text has, without its model's tokenizer: an estimate, often 20 % off.

    Four characters a token, one a token for Chinese, Japanese and Korean.
    """
    wide = sum(character > "\u2e7f" for character in text)
    return wide + -(-(len(text) - wide) // 4)


def estimate_cost(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return US dollars for that many tokens, 0 for a local model, None when the model's price is unknown.

    Imports LiteLLM for its price list, which takes seconds: call it in a thread.
    """
    if model.startswith(LOCAL):
        return 0.0
    from llm4tag.models.provider import litellm

    try:
        prompt, completion = litellm.cost_per_token(
            model=model, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
        )
    except Exception:  # its own class for an unlisted model, BadRequestError for an unknown provider
        return None
    return float(prompt + completion) or None
