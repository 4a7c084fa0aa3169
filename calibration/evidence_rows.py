"""The evidence for a content's candidates as numbers: one row for each candidate, the columns of ``columns``."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.columns import FUSION_COLUMNS, PRODUCTS, product_name
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.log_odds import Floats
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate, LinearEvidence, Path

FEWEST_CENTRED = 100
"""With fewer contents cosines between contents are not centred (``knowledge_store.centring``), and not weighed."""
_FEWEST_COSINES = 3


def evidence_rows(candidates: Sequence[Candidate], facts: HistoryFacts, words: int) -> Floats:
    """Return the numbers of one content's candidates, shape (candidates, len(FUSION_COLUMNS)).

    Unknown numbers are 0: the linear score of a tag that is not scored, and cosines in a store without embeddings.

    Args:
        candidates: of one content.
        facts: of the store, without the content where it is a part of history.
        words: the number of words of the content.
    """
    tags = [candidate.tag for candidate in candidates]
    evidence = {path: [candidate.path(path) for candidate in candidates] for path in Path}
    counts = np.array([facts.counts.get(tag, 0) for tag in tags], dtype=np.float64)
    scored = facts.groups(tags) == 2
    columns = {
        **_linear(evidence[Path.LINEAR], scored),
        **_neighbours(evidence[Path.C2C2T], centred=facts.contents >= FEWEST_CENTRED),
        **_own_words(evidence[Path.C2T]),
        **_store(counts, facts.contents),
    }
    columns["ln_words"] = _all(np.log1p(words), counts)
    relatives = _Relatives(tags, facts.parents)
    for name in ("linear", "own_words"):
        for relation, values in relatives.scores(np.clip(columns[name], 0.0, 1.0)).items():
            columns[f"{relation}_{name}"] = values
    columns |= {product_name(one, other): columns[one] * columns[other] for one, other in PRODUCTS}
    return np.column_stack([columns[name] for name in FUSION_COLUMNS])


def _linear(evidence: Sequence[object], scored: NDArray[np.bool_]) -> dict[str, Floats]:
    scores = _values(evidence, LinearEvidence, lambda found: found.raw)
    # A scored tag without evidence is below all that have some.
    lowest = scores[~np.isnan(scores)].min(initial=0.0)
    scores = np.where(scored, np.where(np.isnan(scores), lowest, scores), 0.0)

    def numbers(value: Callable[[LinearEvidence], float | None]) -> Floats:
        return np.where(scored, np.nan_to_num(_values(evidence, LinearEvidence, value), nan=0.0), 0.0)

    company, closest = numbers(lambda found: found.company), numbers(lambda found: found.closest)
    wide, titled = numbers(lambda found: found.wide), numbers(lambda found: found.titled)
    nearness = max((found.nearness for found in evidence if isinstance(found, LinearEvidence)), default=0.0)
    top = scores.max(initial=0.0)
    clipped = np.clip(scores, 0.0, 1.0)
    return {
        "linear": scores,
        "linear_squared": clipped**2,
        "ln_linear": np.where(scored, _ln(scores), 0.0),
        "linear_share": scores / max(top, 0.05),
        "linear_rank": np.where(scored, _ranks(scores), 0.0),
        "linear_top": _all(top, scores),
        "linear_sum": _all(clipped.sum(), scores),
        "company": company,
        "ln_company": np.where(scored, _ln(company), 0.0),
        "closest": closest,
        "ln_closest": np.where(scored, _ln(closest), 0.0),
        "titled": titled,
        "ln_titled": np.where(scored, _ln(titled), 0.0),
        "titled_rank": np.where(scored, _ranks(titled), 0.0),
        "titled_share": titled / max(titled.max(initial=0.0), 0.05),
        "nearness": _all(nearness, scores),
        "ln_nearness": _all(float(np.log(nearness + 0.05)) if nearness > 0 else 0.0, scores),
        "wide": wide,
        "ln_wide": np.where(scored, _ln(wide), 0.0),
        "wide_rank": np.where(scored, _ranks(wide), 0.0),
    }


def _neighbours(evidence: Sequence[object], *, centred: bool) -> dict[str, Floats]:
    def numbers(value: Callable[[C2C2TEvidence], float | None]) -> Floats:
        return np.nan_to_num(_values(evidence, C2C2TEvidence, value), nan=0.0)

    votes = {
        "neighbours": numbers(lambda found: found.raw),
        "neighbours_nearest": numbers(lambda found: found.nearest),
        "neighbours_words": numbers(lambda found: found.by_words),
        "neighbours_vector": numbers(lambda found: found.by_vector),
    }
    bm25 = np.log1p(numbers(lambda found: found.keyword_score))
    cosine = numbers(lambda found: found.vector_score) * centred
    return {
        **votes,
        **{f"ln_{name}": _ln(shares) for name, shares in votes.items()},
        "neighbours_rank": _ranks(votes["neighbours"]),
        "neighbours_support": np.log1p(numbers(lambda found: found.human_support)),
        "neighbour_bm25": bm25,
        "neighbour_bm25_top": _all(bm25.max(initial=0.0), bm25),
        "neighbour_cosine": cosine,
        "neighbour_cosine_top": _all(cosine.max(initial=0.0), cosine),
    }


def _own_words(evidence: Sequence[object]) -> dict[str, Floats]:
    def numbers(value: Callable[[C2TEvidence], float | None]) -> Floats:
        return np.nan_to_num(_values(evidence, C2TEvidence, value), nan=0.0)

    score = numbers(lambda found: found.score)
    name, description = numbers(lambda found: found.keyword_score), numbers(lambda found: found.description_score)
    verbatim = numbers(lambda found: float(found.verbatim))
    words = numbers(lambda found: float(len(found.unit.split())))
    return {
        "own_words": score,
        "ln_own_words": _ln(score),
        "own_words_rank": _ranks(score),
        "name_bm25": np.log1p(name),
        "name_bm25_share": name / max(name.max(initial=0.0), 1e-9),
        "name_bm25_top": _all(np.log1p(name.max(initial=0.0)), name),
        "description_bm25": np.log1p(description),
        "description_bm25_share": description / max(description.max(initial=0.0), 1e-9),
        "description_bm25_top": _all(np.log1p(description.max(initial=0.0)), name),
        **_cosines("part", _values(evidence, C2TEvidence, lambda found: found.vector_score)),
        **_cosines("whole", _values(evidence, C2TEvidence, lambda found: found.whole_score)),
        "verbatim": verbatim,
        "verbatim_count": _all(np.log1p(verbatim.sum()), verbatim),
        "verbatim_share": verbatim / max(verbatim.sum(), 1.0),
        "verbatim_words": verbatim * np.log1p(words),
        "coverage": numbers(lambda found: found.coverage),
    }


def _cosines(name: str, cosine: Floats) -> dict[str, Floats]:
    """Return how cosines lie among each other; NaN where a cosine is missing."""
    given = cosine[~np.isnan(cosine)]
    low, high, mean = (given.min(), given.max(), given.mean()) if len(given) else (0.0, 0.0, 0.0)
    deviation = max(float(given.std()), 1e-3) if len(given) >= _FEWEST_COSINES else 1.0
    # Beyond the depth of the search a cosine is at most that of the last hit.
    cosine = np.where(np.isnan(cosine), low, cosine)
    return {
        f"{name}_share": (cosine - low) / max(high - low, 1e-9),
        f"{name}_deviation": (cosine - mean) / deviation,
        f"{name}_deviation_top": _all((high - mean) / deviation, cosine),
    }


def _store(counts: Floats, contents: int) -> dict[str, Floats]:
    share = np.log((counts + 0.5) / (contents + 1.0)) if contents else np.zeros(len(counts))
    return {"frequency": np.log2(1.2 + counts), "share_of_history": share}


class _Relatives:
    """The parents, children and siblings of candidates among the candidates, by their places."""

    def __init__(self, tags: Sequence[str], parents: Mapping[str, tuple[str, ...]]) -> None:
        self._place = {tag: place for place, tag in enumerate(tags)}
        self._parents = [parents.get(tag, ()) for tag in tags]
        self._children: dict[str, list[int]] = {}
        for place, some in enumerate(self._parents):
            for parent in some:
                self._children.setdefault(parent, []).append(place)

    def scores(self, score: Floats) -> dict[str, Floats]:
        """Return the best scores of parents, siblings and children, and the sum of those of siblings."""
        found = {name: np.zeros(len(score)) for name in ("parent", "sibling", "child", "family")}
        if not self._children:
            return found
        for parent, places in self._children.items():
            some = score[places]
            if (above := self._place.get(parent)) is not None:
                found["parent"][places] = np.maximum(found["parent"][places], score[above])
                found["child"][above] = some.max()
            if len(places) > 1:
                others = some.sum() - some
                first, second = np.sort(some)[::-1][:2]
                best = np.where(some == first, second, first)
                found["family"][places] = np.maximum(found["family"][places], others)
                found["sibling"][places] = np.maximum(found["sibling"][places], best)
        return found


def _values(evidence: Sequence[object], kind: type, value: Callable[..., float | None]) -> Floats:
    """Return a number for each piece of evidence of that kind, NaN where there is none."""
    found = [value(item) if isinstance(item, kind) else None for item in evidence]
    return np.array([np.nan if number is None else number for number in found], dtype=np.float64)


def _ln(shares: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(shares, 0.0) + 0.005))


def _ranks(scores: Floats) -> Floats:
    """Return ln(1 + place), the best having place 0; equal scores share the better place."""
    ordered = np.sort(-scores)
    return np.asarray(np.log1p(np.searchsorted(ordered, -scores, side="left").astype(np.float64)))


def _all(value: float, like: Floats) -> Floats:
    return np.full(len(like), value)
