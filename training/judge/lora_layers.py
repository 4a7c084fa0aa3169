"""LoRA matrices in a base model, and the judge's answers at the ends of branches."""

from typing import Any

from llm4tag.training.judge.base_model import LoadedBase, training_package
from llm4tag.training.judge.token_batches import TokenBatch

TARGET_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_lora(base: LoadedBase, rank: int, alpha: float, seed: int) -> None:
    """Add new LoRA matrices to the model, in float32; they change no answer until they are trained."""
    torch, peft = training_package("torch"), training_package("peft")
    torch.manual_seed(seed)
    config = peft.LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=list(TARGET_PROJECTIONS), lora_dropout=0.0, bias="none"
    )
    peft.inject_adapter_in_model(config, base.model)
    for parameter in lora_parameters(base).values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)


def lora_parameters(base: LoadedBase) -> dict[str, Any]:
    """Return the matrices by their names in ``adapter.safetensors``."""
    return {name: one for name, one in base.model.named_parameters() if ".lora_" in name}


def lora_state(base: LoadedBase) -> dict[str, Any]:
    """Return a copy of the matrices, on the CPU."""
    return {name: one.detach().to("cpu", copy=True) for name, one in lora_parameters(base).items()}


def set_lora_state(base: LoadedBase, state: dict[str, Any]) -> None:
    """Set the matrices to those of ``lora_state``."""
    torch = training_package("torch")
    with torch.no_grad():
        for name, one in lora_parameters(base).items():
            one.copy_(state[name])


def answer_logits(base: LoadedBase, batch: TokenBatch) -> tuple[Any, Any]:
    """Return logit(Yes) - logit(No) and log(P(Yes) + P(No)) of each branch, both of shape (b,), in float32.

    The difference is computed from the two answers' rows of the output matrix, in float32, because the difference
    of two large numbers loses too much precision in bfloat16.
    """
    hidden = base.model.model(
        input_ids=batch.tokens, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
    ).last_hidden_state[batch.ends]
    rows = base.model.lm_head.weight
    direction = rows[base.yes].float() - rows[base.no].float()
    log_shares = base.model.lm_head(hidden).float().log_softmax(dim=-1)
    return hidden.float() @ direction, log_shares[:, [base.yes, base.no]].logsumexp(dim=-1)
