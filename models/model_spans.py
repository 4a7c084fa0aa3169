"""What a span says of a question to an LLM and of texts that are embedded."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llm4tag.models.language_model import Answer, Question
from llm4tag.models.tracing import Span, span

_SHOWN_TEXTS = 20
_SHOWN_TOKENS = 5


class Asking:
    """A question under way."""

    def __init__(self, traced: Span) -> None:
        self._span = traced

    def answered(self, answer: Answer) -> None:
        """Tell what came of it; tokens and cost are what this answer took, none for one that was kept."""
        if not self._span:
            return
        from openinference.instrumentation import Message as Told
        from openinference.instrumentation import TokenCount, get_llm_attributes, get_output_attributes

        usage = answer.usage
        counts = TokenCount(
            prompt=usage.prompt_tokens,
            completion=usage.completion_tokens,
            total=usage.prompt_tokens + usage.completion_tokens,
            prompt_details={"cache_read": usage.cached_prompt_tokens},
        )
        said = answer.text or answer.refusal
        self._span.add(
            get_llm_attributes(output_messages=[Told(role="assistant", content=said)], token_count=counts)
        )
        self._span.add(get_output_attributes(_with_alternatives(said, answer.first_token)))
        self._span.add({"llm.finish_reason": answer.finish_reason, "llm.cost.total": usage.cost})
        self._span.tell(cached=usage.cached_answers > 0)


@contextmanager
def asking(model: str, question: Question) -> Iterator[Asking]:
    """Trace a question, as part of a run.

    Args:
        model: its name.
        question: what is asked.
    """
    with span("ask", "llm", alone=False) as traced:
        if traced:
            _tell(traced, model, question)
        yield Asking(traced)


def _tell(traced: Span, model: str, question: Question) -> None:
    from openinference.instrumentation import Message as Told
    from openinference.instrumentation import get_llm_attributes

    chosen = question.model_dump(
        include={"max_tokens", "temperature", "seed", "top_logprobs"}, exclude_none=True, mode="json"
    )
    messages = [Told(role=message.role, content=message.content) for message in question.messages]
    provider = model.partition("/")[0] if "/" in model else None
    told = get_llm_attributes(
        model_name=model, provider=provider, invocation_parameters=chosen, input_messages=messages
    )
    traced.add(told)
    traced.tell(adapter=question.adapter)


def _with_alternatives(said: str, first_token: dict[str, float] | None) -> str:
    """Return an answer, with the log-probabilities of its first token where it was judged by them."""
    if not first_token:
        return said
    best = sorted(first_token.items(), key=lambda item: -item[1])[:_SHOWN_TOKENS]
    return json.dumps({"text": said, "first_token": dict(best)}, ensure_ascii=False)


class Embedding:
    """Texts that are being embedded."""

    def __init__(self, traced: Span) -> None:
        self._span = traced

    def known(self, count: int) -> None:
        """Tell how many of the texts were embedded before."""
        self._span.tell(cached_texts=count)


@contextmanager
def embedding(model: str, texts: Sequence[str]) -> Iterator[Embedding]:
    """Trace the embedding of texts, as part of a run.

    Args:
        model: its name.
        texts: what is embedded; the first 20 are shown.
    """
    with span("embed", "embedding", alone=False) as traced:
        if traced:
            from openinference.instrumentation import Embedding as Told
            from openinference.instrumentation import get_embedding_attributes

            shown = [Told(text=text) for text in texts[:_SHOWN_TEXTS]]
            traced.add(get_embedding_attributes(model_name=model, embeddings=shown))
            traced.tell(texts=len(texts))
        yield Embedding(traced)
