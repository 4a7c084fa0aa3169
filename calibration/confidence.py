"""The confidence of each candidate: by fixed weights, or by the calibrator where one holds.

With fixed weights recall leads where there is history, and the LLM refines; they were chosen on debtags dev and
ESCO dev. They also decide which candidates a calibrator looks at.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.columns import LLM_SIGNALS
from llm4tag.calibration.log_odds import log_odds, probabilities
from llm4tag.calibration.signals import RATING_CLIP, calibrator_rows
from llm4tag.schema import C2C2TEvidence, Candidate, Evidence, Path, Recipe, Signals


class SignalWeights(BaseModel):
    """How far recall and the LLM's signals move a confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float
    """Probability by recall of a candidate that every path puts first and no similar content carries."""
    judgement: float
    """Weight of the log odds of P(Yes), centred within the content because a zero-shot judge says yes to most;
    where there is no judgement, of the log odds of the rating."""
    agreement: float
    """Weight of the share of samples that named the tag, centred in the same way."""


WITH_HISTORY = SignalWeights(scale=0.5, judgement=0.2, agreement=0.1)
WITHOUT_HISTORY = SignalWeights(scale=0.5, judgement=1.0, agreement=0.6)

TUNED_SHARE = 0.5
"""Share of a fine-tuned judge's log odds, the rest is recall's: both mean the same probability, so neither is
centred."""
TUNED_SHARE_UNSEEN = 0.9
"""The same for unseen tags: recall's probability is not meant for them."""


UNCERTAIN_FROM, UNCERTAIN_TO = 0.05, 0.9
"""A candidate whose probability by recall is between these is uncertain. On debtags dev a fine-tuned judge that is
asked about these alone, 8 of 10 candidates a document, reaches an F1@5 of .686, and .690 when asked about all."""
UNCERTAIN_FROM_BY_WORDS = 0.15
"""The same without history, where fixed weights give the best candidate .5: on ESCO dev the judge is asked about
10 of 19 candidates a document, and nDCG@10 and log loss are no worse."""


class ScoredCandidate(BaseModel):
    """A candidate with its confidence and the signals and evidence that it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    confidence: float
    raw: float
    """The confidence by fixed weights, also where ``confidence`` is the calibrator's."""
    calibrated: bool = False
    signals: Signals
    evidence: tuple[Evidence, ...]


def recall_probabilities(
    candidates: Sequence[Candidate], weights: Mapping[Path, float], scale: float
) -> dict[str, float]:
    """Return what fixed weights make of recall's evidence: a number in (0, 1) for each candidate, by tag id.

    Where similar contents carry tags, it is the share of them that carries this one (``raw``: assignments of
    people alone), mixed with the other paths' relative scores scaled to the best share; elsewhere it is the mix of
    the paths' relative scores times ``scale``.

    Args:
        candidates: of one content.
        weights: the weight of each path.
        scale: see ``SignalWeights.scale``.
    """
    shares = {c.tag: e.raw for c in candidates if isinstance(e := c.path(Path.C2C2T), C2C2TEvidence)}
    top = max(shares.values(), default=0.0)
    others = {path: weight for path, weight in weights.items() if path is not Path.C2C2T and weight > 0}
    if top <= 0.0:
        own, unit = 0.0, scale
    else:
        own, unit = weights.get(Path.C2C2T, 0.0), top
    total = own + sum(others.values())
    found: dict[str, float] = {}
    for candidate in candidates:
        mixed = own * shares.get(candidate.tag, 0.0)
        for path, weight in others.items():
            evidence = candidate.path(path)
            mixed += weight * unit * (evidence.score if evidence else 0.0)
        found[candidate.tag] = _inside(mixed / total if total > 0 else 0.0)
    return found


def weights_for(recipe: Recipe) -> SignalWeights:
    """Return how far signals move confidences where no calibrator weighs them."""
    return WITHOUT_HISTORY if recipe is Recipe.VOCABULARY else WITH_HISTORY


def uncertain(tags: Iterable[str], recall: Mapping[str, float], recipe: Recipe) -> list[str]:
    """Return those of some tags about which recall is uncertain, in their order: the cascade asks about these.

    Args:
        tags: ids of candidates.
        recall: their probabilities by recall alone.
        recipe: how recall weighs its paths.
    """
    lowest = UNCERTAIN_FROM_BY_WORDS if recipe is Recipe.VOCABULARY else UNCERTAIN_FROM
    return [tag for tag in tags if lowest <= recall[tag] <= UNCERTAIN_TO]


def combine(
    candidates: Sequence[Candidate],
    signals: Mapping[str, Signals],
    weights: SignalWeights,
    *,
    tuned: bool = False,
    unseen: Set[str] = frozenset(),
) -> list[ScoredCandidate]:
    """Move each probability by recall by the LLM's signals, in log odds; best first.

    Signals are centred within the content and a missing one moves nothing, so that a judge that says yes to all,
    or was not asked, leaves recall's order unchanged. A fine-tuned judge's judgement is not centred.

    Args:
        candidates: of one content.
        signals: of each, by tag.
        weights: of a zero-shot judge, and of agreement.
        tuned: whether the judge was fine-tuned.
        unseen: tags that are newer than recall's fit.
    """
    shares = {tag: one.agreement for tag, one in signals.items() if one.agreement is not None}
    logits = {tag: log_odds(one.p_yes) for tag, one in signals.items() if one.p_yes is not None}
    rated = {
        tag: log_odds(one.rating, RATING_CLIP)
        for tag, one in signals.items()
        if one.rating is not None and one.p_yes is None
    }
    centred_shares, centred_logits = _centred(shares), {**_centred(rated), **_centred(logits)}
    scored = []
    for candidate in candidates:
        tag = candidate.tag
        recall = log_odds(signals[tag].recall or 0.0)
        if tuned:
            share = TUNED_SHARE_UNSEEN if tag in unseen else TUNED_SHARE
            judged = share * (logits.get(tag, recall) - recall)
        else:
            judged = weights.judgement * centred_logits.get(tag, 0.0)
        moved = recall + judged + weights.agreement * centred_shares.get(tag, 0.0)
        scored.append(
            ScoredCandidate(
                tag=tag,
                confidence=(confidence := 1.0 / (1.0 + math.exp(-moved))),
                raw=confidence,
                signals=signals[tag],
                evidence=candidate.evidence,
            )
        )
    return sorted(scored, key=lambda item: (-item.confidence, item.tag))


def missing_signal(scored: Sequence[ScoredCandidate], calibrator: Calibrator) -> str:
    """Return an LLM signal that a calibrator weighs and no candidate of a content has, or an empty text."""
    weighed = {column.split()[0] for column in calibrator.passport.signals}.intersection(LLM_SIGNALS)
    absent = [name for name in sorted(weighed) if all(getattr(item.signals, name) is None for item in scored)]
    return absent[0] if scored and absent else ""


def calibrate_all(scored: Sequence[ScoredCandidate], calibrator: Calibrator) -> list[ScoredCandidate]:
    """Give the candidates of one content their calibrated confidence; best first.

    Those below the depth that the calibrator was fitted on stay estimated, and below the others.

    Args:
        scored: confidences by fixed weights, best first.
        calibrator: one that holds for them.
    """
    head, tail = scored[: calibrator.passport.depth], scored[calibrator.passport.depth :]
    if not head:
        return []
    rows, tags = calibrator_rows(head), [item.tag for item in head]
    found = probabilities(calibrator.scale.logits(rows, tags))
    lowest = float(found.min())
    return [
        *(
            head[row].model_copy(update={"confidence": float(found[row]), "calibrated": True})
            for row in calibrator.scale.order(rows, tags)
        ),
        *(item.model_copy(update={"confidence": min(item.raw, lowest)}) for item in tail),
    ]


def _centred(values: Mapping[str, float]) -> dict[str, float]:
    if not values:
        return {}
    middle = sum(values.values()) / len(values)
    return {tag: value - middle for tag, value in values.items()}


def _inside(share: float) -> float:
    """Keep away from 0 and 1, where logits end."""
    return min(0.999, max(0.001, share))
