"""One pass over a content and all its candidates judges each as if it were the only one."""

import pytest

from llm4tag.training.judge.base_model import LoadedBase
from llm4tag.training.judge.lora_layers import add_lora, answer_logits, lora_parameters
from llm4tag.training.judge.token_batches import token_batch
from llm4tag.training.judge.token_sequences import token_sequence
from tests.fakes.judge_examples import example, head

pytestmark = pytest.mark.training


def asked_alone(base: LoadedBase, tokens: list[int]) -> tuple[float, float]:
    """Return logit(Yes) - logit(No), and P(Yes) + P(No)."""
    import torch

    with torch.no_grad():
        logits = base.model(torch.tensor([tokens])).logits[0, -1]
    shares = logits.softmax(dim=-1)
    return float(logits[base.yes] - logits[base.no]), float(shares[base.yes] + shares[base.no])


@pytest.mark.parametrize("form", ["ids", "names"])
def test_a_branch_is_judged_as_its_whole_prompt_alone(tiny: LoadedBase, form: str) -> None:
    import torch

    add_lora(tiny, 4, 8.0, seed=1)
    for parameter in lora_parameters(tiny).values():
        torch.nn.init.normal_(parameter, std=0.2)
    made = [(example(number, form=form), number % 3) for number in (3, 40, 7)]
    sequences = [token_sequence(one, head(form=form), tiny.tokenizer, shown) for one, shown in made]
    rendered = [
        tiny.tokenizer.apply_chat_template(
            [message.model_dump() for message in messages], add_generation_prompt=True, tokenize=False
        )
        for one, shown in made
        for _, messages in one.questions(head(form=form), shown)
    ]
    whole = [one.prefix + branch for one in sequences for branch in one.branches]
    assert whole == tiny.tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert all(len(one.prefix) > len("You check tags for a catalogue. mail") for one in sequences)

    with torch.no_grad():
        differences, answered = answer_logits(tiny, token_batch(sequences, tiny.device, tiny.model.dtype))
    alone = [asked_alone(tiny, tokens) for tokens in whole]
    assert differences.tolist() == pytest.approx([difference for difference, _ in alone], abs=1e-4)
    assert answered.exp().tolist() == pytest.approx([share for _, share in alone], abs=1e-5)
    assert differences.std() > 0.01


def test_gradients_reach_every_matrix_and_nothing_else(tiny: LoadedBase) -> None:
    add_lora(tiny, 4, 8.0, seed=1)
    sequence = token_sequence(example(3), head(), tiny.tokenizer, 1)
    differences, answered = answer_logits(tiny, token_batch([sequence], tiny.device, tiny.model.dtype))
    (differences.sum() - answered.sum()).backward()
    matrices = lora_parameters(tiny)
    assert len(matrices) == 2 * 2 * 7
    assert "model.layers.0.self_attn.q_proj.lora_A.default.weight" in matrices
    assert all(one.grad is not None and bool(one.grad.isfinite().all()) for one in matrices.values())
    assert any(float(one.grad.abs().max()) > 0 for one in matrices.values())
    others = [name for name, one in tiny.model.named_parameters() if one.grad is not None and name not in matrices]
    assert others == []


def test_one_candidate_alone_still_has_a_branch(tiny: LoadedBase) -> None:
    lone = example(3).model_copy(update={"tags": example(3).tags[:1]})
    sequence = token_sequence(lone, head(), tiny.tokenizer, 0)
    assert len(sequence.branches) == 1
    assert len(sequence.branches[0]) == 1
