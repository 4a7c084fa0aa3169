"""The columns of evidence that recall's fusion weighs."""

from itertools import product

import numpy as np
import pytest

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_rows import FEWEST_CENTRED, evidence_rows
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate, Evidence, LinearEvidence, T2TEvidence

FACTS = HistoryFacts(contents=1000, counts={"a": 500, "b": 3}, scored=frozenset({"a", "b", "gone"}))
NOTHING = HistoryFacts()


def candidate(tag: str, *evidence: Evidence) -> Candidate:
    return Candidate(tag=tag, score=0.5, evidence=evidence)


def neighbours(raw: float, score: float = 1.0, human: int = 3, vector: float | None = 0.4) -> C2C2TEvidence:
    return C2C2TEvidence(
        score=score, support=3, human_support=human, looked_at=5, raw=raw, by_vector=vector, vector_score=vector
    )


def words(score: float, **fields: object) -> C2TEvidence:
    return C2TEvidence.model_validate({"score": score} | fields)


def linear(raw: float) -> LinearEvidence:
    return LinearEvidence(score=1.0, raw=raw, company=0.5, closest=0.4, wide=0.3)


def column(name: str, *candidates: Candidate, facts: HistoryFacts = FACTS, length: int = 20) -> list[float]:
    return [float(value) for value in evidence_rows(candidates, facts, length)[:, FUSION_COLUMNS.index(name)]]


ANY_EVIDENCE: list[tuple[Evidence, ...]] = [
    (),
    (words(1.0),),
    (words(0.0, verbatim=True, unit="", keyword_score=0.0, vector_score=-0.2, whole_score=-0.2, coverage=1.0),),
    (neighbours(0.0, human=0, vector=None),),
    (linear(-3.0), neighbours(1.0)),
    (T2TEvidence(score=1.0, links=()),),
]


@pytest.mark.parametrize("facts", [FACTS, NOTHING, HistoryFacts(contents=1, counts={"a": 1})])
@pytest.mark.parametrize("length", [0, 100_000])
def test_a_row_a_candidate_all_finite(facts: HistoryFacts, length: int) -> None:
    assert evidence_rows([], facts, length).shape == (0, len(FUSION_COLUMNS))
    for found in product(ANY_EVIDENCE, repeat=3):
        some = [candidate(tag, *one) for tag, one in zip(("a", "b", "new"), found, strict=True)]
        rows = evidence_rows(some, facts, length)
        assert rows.shape == (3, len(FUSION_COLUMNS))
        assert np.isfinite(rows).all(), found


def test_a_tag_that_the_linear_scorer_knows_without_evidence_is_below_all_that_have_some() -> None:
    some = (candidate("a", linear(-0.2)), candidate("b"), candidate("new"))
    assert column("linear", *some) == [-0.2, -0.2, 0.0]


def test_a_tag_that_nobody_has_any_more_is_not_scored() -> None:
    some = (candidate("a", linear(0.9)), candidate("gone", linear(0.8)), candidate("new", linear(0.7)))
    rows = evidence_rows(some, FACTS, 20)
    own = [
        place
        for place, name in enumerate(FUSION_COLUMNS)
        if name.removeprefix("ln_").startswith(("linear", "company", "closest", "wide"))
        and not name.endswith(("_top", "_sum"))
    ]
    assert len(own) > 10
    assert (rows[0, own] != 0).sum() > 5
    assert (rows[1:, own] == 0).all()
    assert column("linear_top", *some) == [0.9] * 3, "the content's best"
    assert column("linear_sum", *some) == [0.9] * 3, "of the tags that are scored"


def test_ranks_share_places() -> None:
    some = [candidate(tag, neighbours(raw)) for tag, raw in (("a", 0.2), ("b", 0.9), ("c", 0.2))]
    assert column("neighbours_rank", *some) == pytest.approx([np.log(2), 0.0, np.log(2)])


def test_tags_that_only_a_model_gave_are_as_if_nobody_had() -> None:
    echoed = candidate("a", neighbours(0.0, score=0.9, human=0, vector=None))
    others = (candidate("b", neighbours(0.5)),)
    with_echo = evidence_rows([echoed, *others], FACTS, 20)
    without = evidence_rows([candidate("a"), *others], FACTS, 20)
    assert with_echo == pytest.approx(without)


def test_cosines_between_contents_are_weighed_only_where_there_are_enough_to_centre_them() -> None:
    (enough, few) = (HistoryFacts(contents=count) for count in (FEWEST_CENTRED, FEWEST_CENTRED - 1))
    some = (candidate("a", neighbours(0.5, vector=0.4)), candidate("b"))
    assert column("neighbour_cosine", *some, facts=enough) == [0.4, 0.0]
    assert column("neighbour_cosine_top", *some, facts=enough) == [0.4, 0.4]
    assert column("neighbour_cosine", *some, facts=few) == [0.0, 0.0]
    assert column("neighbours", *some, facts=few) == [0.5, 0.0], "that these contents have the tag still counts"


def test_frequency_and_share_tell_new_tags_from_rare_and_frequent_ones() -> None:
    many, few, new = column("frequency", *map(candidate, ("a", "b", "new")))
    assert (many, few, new) == pytest.approx((np.log2(501.2), np.log2(4.2), np.log2(1.2)))
    assert column("share_of_history", candidate("a"), candidate("new")) == pytest.approx(
        [np.log(500.5 / 1001), np.log(0.5 / 1001)]
    )
    assert column("share_of_history", candidate("a"), facts=NOTHING) == [0.0]
    assert column("ln_words", candidate("a"), candidate("b"), length=9) == pytest.approx([np.log(10)] * 2)


def test_names_in_the_text_and_their_company() -> None:
    some = (
        candidate("a", words(1.0, verbatim=True, unit="two words", keyword_score=4.0)),
        candidate("b", words(0.5, unit="other", keyword_score=1.0, coverage=0.75)),
        candidate("c"),
    )
    assert column("verbatim", *some) == [1, 0, 0]
    assert column("verbatim_count", *some) == pytest.approx([np.log(2)] * 3)
    assert column("verbatim_share", *some) == [1, 0, 0]
    assert column("verbatim_words", *some) == pytest.approx([np.log(3), 0, 0])
    assert column("coverage", *some) == [0, 0.75, 0]
    assert column("name_bm25_share", *some) == pytest.approx([1, 0.25, 0])
    assert column("own_words", *some) == [1.0, 0.5, 0.0]
    assert column("own_words_rank", *some) == pytest.approx([0.0, np.log(2), np.log(3)])


@pytest.mark.parametrize(("name", "field"), [("part", "vector_score"), ("whole", "whole_score")])
def test_a_cosine_is_weighed_among_the_others_of_the_content_whatever_the_scale_of_the_model(
    name: str, field: str
) -> None:
    def some(low: float, high: float) -> list[Candidate]:
        cosines = np.linspace(low, high, 3).tolist()
        return [*(candidate(f"t{n}", words(1.0, **{field: one})) for n, one in enumerate(cosines)), candidate("x")]

    for part in ("share", "deviation", "deviation_top"):
        one, other = (column(f"{name}_{part}", *some(low, high)) for low, high in ((0.1, 0.5), (0.8, 0.9)))
        assert one == pytest.approx(other), part
    assert column(f"{name}_share", *some(0.1, 0.5)) == pytest.approx([0.0, 0.5, 1.0, 0.0]), "missing: the lowest"
    assert column(f"{name}_deviation", *some(0.1, 0.5)) == pytest.approx(
        np.sqrt([1.5, 0, 1.5, 1.5]) * [-1, 1, 1, -1]
    )
    alike = [candidate(tag, words(1.0, **{field: 0.7})) for tag in "abc"]
    assert column(f"{name}_deviation", *alike) == pytest.approx([0.0] * 3, abs=1e-9)


FAMILY = HistoryFacts(
    contents=100,
    counts=dict.fromkeys(("up", "one", "two", "three", "lone"), 5),
    scored=frozenset({"up", "one", "two", "three", "lone"}),
    parents={"one": ("up", "group"), "two": ("up",), "three": ("up",), "lone": ("group", "nowhere")},
)
SCORES = {"up": 0.9, "one": 0.5, "two": 0.3, "three": 0.1, "lone": 0.7}


@pytest.mark.parametrize("name", ["linear", "own_words"])
def test_relatives_among_the_candidates_count(name: str) -> None:
    some = [candidate(tag, linear(score) if name == "linear" else words(score)) for tag, score in SCORES.items()]
    assert column(f"parent_{name}", *some, facts=FAMILY) == [0.0, 0.9, 0.9, 0.9, 0.0]
    assert column(f"child_{name}", *some, facts=FAMILY) == [0.5, 0.0, 0.0, 0.0, 0.0]
    assert column(f"sibling_{name}", *some, facts=FAMILY) == [0.0, 0.7, 0.5, 0.5, 0.5], "by any of the parents"
    assert column(f"family_{name}", *some, facts=FAMILY) == pytest.approx([0.0, 0.7, 0.6, 0.8, 0.5])


def test_relatives_that_are_no_candidates_do_not_count_and_none_counts_for_more_than_one() -> None:
    for relation in ("parent", "child", "sibling", "family"):
        assert column(f"{relation}_linear", candidate("two", linear(0.9)), facts=FAMILY) == [0.0]
    some = (candidate("up", linear(7.0)), candidate("one", linear(-7.0)), candidate("two", linear(0.2)))
    assert column("parent_linear", *some, facts=FAMILY) == [0.0, 1.0, 1.0]
    assert column("sibling_linear", *some, facts=FAMILY) == [0.0, 0.2, 0.0]


def test_equal_siblings_are_each_others_best() -> None:
    some = [candidate(tag, words(0.5)) for tag in ("one", "two", "three")]
    assert column("sibling_own_words", *some, facts=FAMILY) == [0.5] * 3
    assert column("family_own_words", *some, facts=FAMILY) == [1.0] * 3
