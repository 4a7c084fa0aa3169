"""The evaluation that comes of results: the contract's keys, breakdowns and the table."""

import json

import pytest
from rich.console import Console

from llm4tag.evaluation import Evaluation, evaluate
from llm4tag.evaluation.evaluation_table import draw
from llm4tag.schema import CalibrationNote, Decision, Origin, TagDecision, TagResult, Usage

ORIGIN = Origin(vocabulary="v", embedding="none", model=None)


def result(content_id: str, ranked: str, degraded: str | None = None) -> TagResult:
    tags = tuple(
        TagDecision(
            id=tag,
            name=tag.upper(),
            confidence=round(0.9 - place / 100, 4),
            decision=Decision.REJECT,
            calibration=CalibrationNote(),
            evidence=(),
        )
        for place, tag in enumerate(ranked)
    )
    usage = Usage(llm_calls=2, prompt_tokens=10, completion_tokens=3, seconds=0.5, cost=0.25)
    return TagResult(id=content_id, tags=tags, degraded=degraded, usage=usage, origin=ORIGIN)


@pytest.fixture
def evaluation() -> Evaluation:
    results = [result("1", "abcdefghijkl"), result("2", "lkjihgfedcba", degraded="model down")]
    gold = {"1": frozenset({"a", "l", "unknown"}), "2": frozenset({"b", "missed"})}
    assignable = frozenset("abcdefghijkl") | {"missed"}
    history = {"a": 51, "l": 50, "b": 5, "missed": 1}
    return evaluate(results, gold, assignable, history, settings={"model": "x"}, sample={"limit": 2, "seed": 0})


def test_keys_of_the_contract(evaluation: Evaluation) -> None:
    found = json.loads(evaluation.to_json())
    assert {"documents", "pairs", "prevalence", "metrics", "cost"} <= found.keys()
    assert list(found["metrics"]) == [
        "p@1", "f1@5", "ndcg@10", "rp@5", "rp@10", "recall@10", "recall@50", "auroc", "log_loss", "brier", "ece",
    ]  # fmt: skip
    assert {"llm_calls", "prompt_tokens", "completion_tokens", "seconds"} <= found["cost"].keys()
    assert (found["documents"], found["pairs"], found["prevalence"]) == (2, 24, pytest.approx(3 / 24))
    assert found["cost"]["llm_calls"] == 4
    assert found["cost"]["cost"] == 0.5
    assert found["degraded"] == 1
    assert found["calibration"] == {"estimated": 24}
    assert Evaluation.model_validate_json(evaluation.to_json()) == evaluation


def test_gold_tags_that_were_not_recalled_stay_in_the_count(evaluation: Evaluation) -> None:
    losses = evaluation.losses
    assert (losses.gold, losses.pruned, losses.not_recalled, losses.outside_vocabulary) == (5, 3, 1, 1)
    assert evaluation.metrics["recall@50"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_recall_by_frequency(evaluation: Evaluation) -> None:
    bins = {part.history_documents: part for part in evaluation.by_frequency}
    assert {label: part.gold for label, part in bins.items()} == {"0": 1, "1-5": 2, "6-50": 1, "51+": 1}
    assert [bins["51+"].recall_at_5, bins["6-50"].recall_at_10, bins["6-50"].recall_at_50] == [1, 0, 1]
    assert bins["1-5"].recall_at_50 == 0.5
    assert bins["0"].recall_at_50 == 0
    assert {part.accepted for part in evaluation.by_frequency} == {0}
    assert bins["51+"].error is None


def test_table_names_every_metric_and_says_estimated(evaluation: Evaluation) -> None:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(draw(evaluation))
    text = captured.get()
    for name in evaluation.metrics:
        assert name in text
    assert "24 of 24 confidences are estimated" in text
    assert "$0.5000" in text


def test_undefined_auroc_is_null_with_a_word() -> None:
    found = evaluate([result("1", "ab")], {"1": frozenset("z")}, frozenset("ab"), {})
    assert json.loads(found.to_json())["metrics"]["auroc"] is None
    console = Console(width=100)
    with console.capture() as captured:
        console.print(draw(found))
    assert "AUROC is undefined" in captured.get()
