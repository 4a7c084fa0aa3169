"""The columns of evidence that recall's fusion is fitted on."""

import numpy as np
import pytest

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_rows import TagHistory, evidence_rows
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate, Evidence, LinearEvidence

HISTORY = TagHistory(counts={"a": 500, "b": 3}, seen=frozenset({"a", "b"}))


def candidate(tag: str, *evidence: Evidence) -> Candidate:
    return Candidate(tag=tag, score=0.5, evidence=evidence)


def neighbours(raw: float, score: float = 1.0, human: int = 3, vector: float | None = 0.4) -> C2C2TEvidence:
    return C2C2TEvidence(
        score=score, support=3, human_support=human, looked_at=5, raw=raw, by_vector=vector, vector_score=vector
    )


def column(name: str, *candidates: Candidate, history: TagHistory = HISTORY) -> list[float]:
    return [float(value) for value in evidence_rows(candidates, history)[:, FUSION_COLUMNS.index(name)]]


def test_a_row_a_candidate_all_finite() -> None:
    rows = evidence_rows(
        [candidate("a", LinearEvidence(score=1, raw=0.7)), candidate("b"), candidate("new")], HISTORY
    )
    assert rows.shape == (3, len(FUSION_COLUMNS))
    assert np.isfinite(rows).all()
    assert evidence_rows([], HISTORY).shape == (0, len(FUSION_COLUMNS))


def test_a_tag_that_the_linear_scorer_knows_without_evidence_is_below_all_that_have_some() -> None:
    some = (candidate("a", LinearEvidence(score=1, raw=-0.2)), candidate("b"), candidate("new"))
    assert column("linear", *some) == [-0.2, -0.2, 0.0]
    assert HISTORY.seen_rows(some).tolist() == [True, True, False]


def test_ranks_share_places() -> None:
    some = [candidate(tag, neighbours(raw)) for tag, raw in (("a", 0.2), ("b", 0.9), ("c", 0.2))]
    assert column("neighbours_rank", *some) == pytest.approx([np.log(2), 0.0, np.log(2)])


def test_tags_that_only_a_model_gave_are_as_if_nobody_had() -> None:
    echoed = candidate("a", neighbours(0.0, score=0.9, human=0, vector=None))
    others = (candidate("b", neighbours(0.5)),)
    with_echo = evidence_rows([echoed, *others], HISTORY)
    without = evidence_rows([candidate("a"), *others], HISTORY)
    assert with_echo == pytest.approx(without)


def test_frequency_is_coarse_and_tells_new_tags() -> None:
    counted = TagHistory(counts={"one": 500, "less": 499, "few": 3, "new": 0}, seen=frozenset())
    many, one_less, few, new = column("frequency", *map(candidate, ("one", "less", "few", "new")), history=counted)
    assert many == one_less > few > new


def test_names_in_the_text_and_their_company() -> None:
    some = (
        candidate("a", C2TEvidence(score=1, verbatim=True, keyword_score=4.0, vector_score=0.9)),
        candidate("b", C2TEvidence(score=0.5, keyword_score=1.0, vector_score=0.8)),
        candidate("c"),
    )
    assert column("verbatim", *some) == [1, 0, 0]
    assert column("verbatim_count", *some) == [1, 1, 1]
    assert column("name_cosine_share", *some) == pytest.approx([1, 0, 0])
    assert column("name_bm25_share", *some) == pytest.approx([1, 0.25, 0])
