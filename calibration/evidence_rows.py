"""The evidence for a content's candidates as numbers: one row for each candidate, the columns of ``columns``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.columns import FUSION_COLUMNS, PRODUCTS, product_name
from llm4tag.calibration.log_odds import Floats
from llm4tag.schema import C2C2TEvidence, C2TEvidence, Candidate, LinearEvidence, Path


@dataclass(frozen=True)
class TagHistory:
    """What history says of the tags of a store."""

    counts: Mapping[str, int]
    """The number of contents to which people gave each tag, by tag id."""
    seen: frozenset[str]
    """The tags that the linear scorer was fitted on; empty where it has no part."""

    def seen_rows(self, candidates: Sequence[Candidate]) -> NDArray[np.bool_]:
        """Return for each candidate whether its tag was seen, shape (candidates,)."""
        return np.array([candidate.tag in self.seen for candidate in candidates], dtype=bool)


def evidence_rows(candidates: Sequence[Candidate], history: TagHistory) -> Floats:
    """Return the numbers of one content's candidates, shape (candidates, len(FUSION_COLUMNS)).

    Unknown numbers are 0: the linear score of an unseen tag (see ``TagHistory.seen_rows``), and
    cosines in a store without embeddings.
    """
    evidence = {path: [candidate.path(path) for candidate in candidates] for path in Path}
    columns = {
        **_linear(evidence[Path.LINEAR], history.seen_rows(candidates)),
        **_neighbours(evidence[Path.C2C2T]),
        **_own_words(evidence[Path.C2T]),
        "frequency": _frequency([history.counts.get(candidate.tag, 0) for candidate in candidates]),
    }
    columns |= {product_name(one, other): columns[one] * columns[other] for one, other in PRODUCTS}
    return np.column_stack([columns[name] for name in FUSION_COLUMNS])


def _linear(evidence: Sequence[object], seen: NDArray[np.bool_]) -> dict[str, Floats]:
    scores = _values(evidence, LinearEvidence, lambda found: found.raw)
    # A seen tag without evidence is below all that have some.
    lowest = scores[~np.isnan(scores)].min(initial=0.0)
    scores = np.where(seen, np.where(np.isnan(scores), lowest, scores), 0.0)
    company = np.nan_to_num(_values(evidence, LinearEvidence, lambda found: found.company), nan=0.0)
    closest = np.nan_to_num(_values(evidence, LinearEvidence, lambda found: found.closest), nan=0.0)
    wide = np.nan_to_num(_values(evidence, LinearEvidence, lambda found: found.wide), nan=0.0)
    top = scores.max(initial=0.0)
    clipped = np.clip(scores, 0.0, 1.0)
    return {
        "linear": scores,
        "linear_squared": clipped**2,
        "ln_linear": np.where(seen, _ln(scores), 0.0),
        "linear_share": scores / max(top, 0.05),
        "linear_rank": np.where(seen, _ranks(scores), 0.0),
        "linear_top": _all(top, scores),
        "linear_sum": _all(clipped.sum(), scores),
        "company": company,
        "ln_company": np.where(seen, _ln(company), 0.0),
        "closest": closest,
        "ln_closest": np.where(seen, _ln(closest), 0.0),
        "wide": wide,
        "ln_wide": np.where(seen, _ln(wide), 0.0),
        "wide_rank": np.where(seen, _ranks(wide), 0.0),
    }


def _neighbours(evidence: Sequence[object]) -> dict[str, Floats]:
    def numbers(value: Callable[[C2C2TEvidence], float | None]) -> Floats:
        return np.nan_to_num(_values(evidence, C2C2TEvidence, value), nan=0.0)

    votes = {
        "neighbours": numbers(lambda found: found.raw),
        "neighbours_nearest": numbers(lambda found: found.nearest),
        "neighbours_words": numbers(lambda found: found.by_words),
        "neighbours_vector": numbers(lambda found: found.by_vector),
    }
    bm25 = np.log1p(numbers(lambda found: found.keyword_score))
    cosine = numbers(lambda found: found.vector_score)
    return {
        **votes,
        **{f"ln_{name}": _ln(shares) for name, shares in votes.items()},
        "neighbours_rank": _ranks(votes["neighbours"]),
        "neighbour_bm25": bm25,
        "neighbour_bm25_top": _all(bm25.max(initial=0.0), bm25),
        "neighbour_cosine": cosine,
        "neighbour_cosine_top": _all(cosine.max(initial=0.0), cosine),
    }


def _own_words(evidence: Sequence[object]) -> dict[str, Floats]:
    def numbers(value: Callable[[C2TEvidence], float | None]) -> Floats:
        return np.nan_to_num(_values(evidence, C2TEvidence, value), nan=0.0)

    name, description = numbers(lambda found: found.keyword_score), numbers(lambda found: found.description_score)
    verbatim = numbers(lambda found: float(found.verbatim))
    cosine = _values(evidence, C2TEvidence, lambda found: found.vector_score)
    given = cosine[~np.isnan(cosine)]
    low, high = (given.min(), given.max()) if len(given) else (0.0, 0.0)
    # Beyond the depth of the search a cosine is at most that of the last hit.
    cosine = np.where(np.isnan(cosine), low, cosine)
    return {
        "name_bm25": np.log1p(name),
        "name_bm25_share": name / max(name.max(initial=0.0), 1e-9),
        "description_bm25": np.log1p(description),
        "description_bm25_share": description / max(description.max(initial=0.0), 1e-9),
        "name_cosine": cosine,
        "name_cosine_share": (cosine - low) / max(high - low, 1e-9),
        "verbatim": verbatim,
        "verbatim_count": _all(verbatim.sum(), verbatim),
    }


def _frequency(counts: Sequence[int]) -> Floats:
    """Return the whole part of log2(1.2 + count).

    Coarse on purpose: a document of history is in the count of its own tags, and a fine count would betray them.
    """
    return np.asarray(np.floor(np.log2(1.2 + np.array(counts, dtype=np.float64))))


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
