"""The confidence of each candidate: by fixed weights, and where a calibrator holds by that in their place.

By weights recall leads where there is history, and the LLM refines; chosen on debtags dev and ESCO dev, see
docs/recall.md. They also say which candidates a calibrator looks at.
"""

import math
from collections.abc import Mapping, Sequence, Set

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.log_odds import log_odds, probabilities
from llm4tag.calibration.numbers import LLM_SIGNALS, number_rows
from llm4tag.calibration.signals import RATING_CLIP
from llm4tag.schema import C2C2TEvidence, Candidate, Evidence, Path, Signals


class Weights(BaseModel):
    """How far recall and the LLM's signals move the confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float
    """Confidence of a candidate that every recall path puts first and no neighbour speaks for."""
    judgement: float
    """Weight of logit P(Yes), centred within the content: a zero-shot judge says yes to most. Where there is none,
    of the log odds of the probability in words."""
    agreement: float
    """Weight of the share of samples that named the tag, centred likewise."""


WITH_HISTORY = Weights(scale=0.5, judgement=0.2, agreement=0.1)
WITHOUT_HISTORY = Weights(scale=0.5, judgement=1.0, agreement=0.6)


TUNED_SHARE = 0.5
"""Of a fine-tuned judge's logit beside recall's: both mean the same probability, so neither is centred."""
TUNED_SHARE_UNSEEN = 0.9
"""The same for tags that came after recall was fitted: recall's probability is not meant for them. See
docs/recall.md."""


class Scored(BaseModel):
    """A candidate with its confidence, and what that is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    confidence: float
    raw: float
    """By fixed weights, whatever ``confidence`` is by."""
    calibrated: bool = False
    signals: Signals
    evidence: tuple[Evidence, ...]


def recall_confidences(
    candidates: Sequence[Candidate], weights: Mapping[Path, float], scale: float
) -> dict[str, float]:
    """Return a confidence in (0, 1) for each candidate from recall alone.

    Where neighbours speak it is their share that carries the tag (``raw``: humans' assignments alone), mixed with
    the other paths' relative scores scaled to the best share; elsewhere their mix times ``scale``.
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


def combine(
    candidates: Sequence[Candidate],
    signals: Mapping[str, Signals],
    weights: Weights,
    *,
    tuned: bool = False,
    unseen: Set[str] = frozenset(),
) -> list[Scored]:
    """Move each recall confidence by what the LLM said, in logits; best first.

    Signals are centred within the content and a missing one moves nothing, so that a judge who says yes to all,
    or was not asked, leaves recall's order as it is. A fine-tuned judge's word stands as it is.

    Args:
        candidates: of one content.
        signals: of each, by tag.
        weights: of a zero-shot judge, and of agreement.
        tuned: whether the judge was fine-tuned.
        unseen: tags that came after recall was fitted.
    """
    shares = {tag: one.agreement for tag, one in signals.items() if one.agreement is not None}
    logits = {tag: log_odds(one.p_yes) for tag, one in signals.items() if one.p_yes is not None}
    said = {
        tag: log_odds(one.rating, RATING_CLIP)
        for tag, one in signals.items()
        if one.rating is not None and one.p_yes is None
    }
    centred_shares, centred_logits = _centred(shares), {**_centred(said), **_centred(logits)}
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
            Scored(
                tag=tag,
                confidence=(confidence := 1.0 / (1.0 + math.exp(-moved))),
                raw=confidence,
                signals=signals[tag],
                evidence=candidate.evidence,
            )
        )
    return sorted(scored, key=lambda item: (-item.confidence, item.tag))


def missing_signal(scored: Sequence[Scored], calibrator: Calibrator) -> str:
    """Return an LLM signal that a calibrator weighs and no candidate of a content has, or an empty text."""
    weighed = {column.split()[0] for column in calibrator.passport.signals}.intersection(LLM_SIGNALS)
    absent = [name for name in sorted(weighed) if all(getattr(item.signals, name) is None for item in scored)]
    return absent[0] if scored and absent else ""


def calibrate_all(scored: Sequence[Scored], calibrator: Calibrator) -> list[Scored]:
    """Give the candidates of one content their calibrated confidence; best first.

    Those below the depth that the calibrator was fitted on stay uncalibrated, and below the others.

    Args:
        scored: by fixed weights, best first.
        calibrator: one that holds for them.
    """
    head, tail = scored[: calibrator.passport.depth], scored[calibrator.passport.depth :]
    if not head:
        return []
    rows, tags = number_rows(head), [item.tag for item in head]
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
