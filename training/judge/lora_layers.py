"""LoRA matrices in a base model, and the judge's answer at the end of each branch."""

from typing import Any

from llm4tag.training.judge.base_model import Base, package
from llm4tag.training.judge.token_batches import Packed

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_lora(base: Base, rank: int, alpha: float, seed: int) -> None:
    """Put fresh LoRA matrices into the model, in float32; they change nothing until they are trained."""
    torch, peft = package("torch"), package("peft")
    torch.manual_seed(seed)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS), lora_dropout=0.0, bias="none")
    peft.inject_adapter_in_model(config, base.model)
    for parameter in lora_parameters(base).values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)


def lora_parameters(base: Base) -> dict[str, Any]:
    """Return the matrices by the names that ``adapter.safetensors`` has for them."""
    return {name: one for name, one in base.model.named_parameters() if ".lora_" in name}


def lora_state(base: Base) -> dict[str, Any]:
    """Return a copy of the matrices, on the CPU."""
    return {name: one.detach().to("cpu", copy=True) for name, one in lora_parameters(base).items()}


def set_lora_state(base: Base, state: dict[str, Any]) -> None:
    """Put matrices back."""
    torch = package("torch")
    with torch.no_grad():
        for name, one in lora_parameters(base).items():
            one.copy_(state[name])


def judged(base: Base, batch: Packed) -> tuple[Any, Any]:
    """Return logit(Yes) - logit(No) and log(P(Yes) + P(No)) of each branch, each of shape (b,), in float32.

    For the difference only the two answers' rows of the output matrix are multiplied, in float32: a difference of
    two large numbers loses too much in bfloat16.
    """
    hidden = base.model.model(
        input_ids=batch.tokens, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False
    ).last_hidden_state[batch.ends]
    rows = base.model.lm_head.weight
    direction = rows[base.yes].float() - rows[base.no].float()
    log_shares = base.model.lm_head(hidden).float().log_softmax(dim=-1)
    return hidden.float() @ direction, log_shares[:, [base.yes, base.no]].logsumexp(dim=-1)
