"""The spike's adapter on the file that it was trained on, against the logits that its trainer saw."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm4tag.models import open_llm
from llm4tag.models.judge_adapter import SHIPPED_FOLDER, read_adapter
from llm4tag.prompts import Example, PromptContext
from llm4tag.prompts.judge import read_tuned_judgement, tuned_judge_question
from llm4tag.schema import Content, Tag, settings
from llm4tag.schema.adapter_card import TRAINED_FORM, AdapterCard
from llm4tag.schema.llm_answers import Judgement

PAIRS = {True: 24, False: 6}
"""How many questions are sent with the adapter, and without it."""
SHIPPED_PAIRS = 12
_SIMILAR = "Similar items and the tags people gave them:\n"

pytestmark = pytest.mark.shared


@pytest.fixture
def reference(shared_judge: Path) -> list[dict[str, Any]]:
    lines = (shared_judge / "logits.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def question_parts(reference: list[dict[str, Any]], shared_data: Path) -> list[tuple[PromptContext, Tag]]:
    """Rebuild what each reference prompt was made from; of similar items only their line is known."""
    tags = {row["id"]: Tag(**row) for row in _rows(shared_data / "debtags" / "tags.jsonl")}
    contents = {
        row["id"]: Content(id=row["id"], text=row["text"]) for row in _rows(shared_data / "debtags" / "dev.jsonl")
    }
    found = []
    for row in reference:
        lines = row["prompt"].partition(_SIMILAR)[2].partition("\n\nTag: ")[0].splitlines()
        parts = [line.removeprefix("- ").rpartition(": ") for line in lines]
        examples = tuple(Example(text=f"{first}\nmore", tags=(), ids=(ids,)) for first, _, ids in parts)
        found.append((PromptContext(content=contents[row["content"]], examples=examples), tags[row["tag"]]))
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_prompts_are_the_trained_ones_to_the_character(
    reference: list[dict[str, Any]],
    question_parts: list[tuple[PromptContext, Tag]],
    shared_judge: Path,
    tmp_path: Path,
) -> None:
    adapter = read_adapter(shared_judge, tmp_path)
    assert len(reference) == 144
    for row, (context, tag) in zip(reference, question_parts, strict=True):
        messages = tuned_judge_question(context, tag, adapter).messages
        rendered = "".join(f"<|im_start|>{one.role}\n{one.content}<|im_end|>\n" for one in messages)
        assert f"{rendered}<|im_start|>assistant\n" == row["prompt"]


@pytest.mark.llm
@pytest.mark.timeout(900)
async def test_the_served_adapter_gives_the_trainers_logits(
    reference: list[dict[str, Any]],
    question_parts: list[tuple[PromptContext, Tag]],
    shared_judge: Path,
    judge_base_path: Path,
) -> None:
    llm = await open_llm(settings(model=f"local/{judge_base_path}", adapter=str(shared_judge), timeout=240.0))
    adapter = llm.adapter
    assert adapter is not None
    served: dict[bool, list[float]] = {True: [], False: []}
    try:
        for number, (context, tag) in enumerate(question_parts[: PAIRS[True]]):
            question = tuned_judge_question(context, tag, adapter)
            # One after the other: what the server has read with the adapter must not serve without it.
            for tuned in (True, False):
                if number < PAIRS[tuned]:
                    one = question if tuned else question.model_copy(update={"adapter": None})
                    served[tuned].append(_logit(read_tuned_judgement(await llm.ask(one), adapter.card.answer)))
    finally:
        await llm.close()
    trainer, bare = ([row[name] for row in reference] for name in ("logit_adapter", "logit_base"))
    assert np.corrcoef(served[True], trainer[: PAIRS[True]])[0, 1] >= 0.999
    assert np.abs(np.subtract(served[True], trainer[: PAIRS[True]])).mean() < 0.2
    assert np.abs(np.subtract(served[False], bare[: PAIRS[False]])).mean() < 0.3
    assert np.corrcoef(served[False], trainer[: PAIRS[False]])[0, 1] < 0.9


@pytest.mark.llm
@pytest.mark.timeout(900)
async def test_the_shipped_judge_answers_as_the_one_it_was_made_from(
    reference: list[dict[str, Any]], question_parts: list[tuple[PromptContext, Tag]], judge_base_path: Path
) -> None:
    chosen = settings(model=f"local/{judge_base_path}", judge_form=TRAINED_FORM, timeout=240.0)
    llm = await open_llm(chosen)
    adapter = llm.adapter
    assert adapter is not None, "it is the default with its base"
    assert adapter.folder == SHIPPED_FOLDER
    try:
        answers = [
            await llm.ask(tuned_judge_question(context, tag, adapter))
            for context, tag in question_parts[:SHIPPED_PAIRS]
        ]
    finally:
        await llm.close()
    served = [_logit(read_tuned_judgement(answer, adapter.card.answer)) for answer in answers]
    trainer = [row["logit_adapter"] for row in reference[:SHIPPED_PAIRS]]
    assert np.corrcoef(served, trainer)[0, 1] >= 0.999
    assert np.abs(np.subtract(served, trainer)).mean() < 0.2


def _logit(judgement: Judgement) -> float:
    assert judgement.p_yes is not None
    return math.log(judgement.p_yes / (1 - judgement.p_yes))


def test_the_real_card_is_read_whole(shared_judge: Path) -> None:
    card = AdapterCard.model_validate_json((shared_judge / "adapter.json").read_bytes())
    assert list(card.forms) == ["prompt", "generic", "job", "job_nodesc"]
    assert card.forms["generic"].similar_line == ""
