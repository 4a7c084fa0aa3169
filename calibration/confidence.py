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
from llm4tag.schema import Candidate, Evidence, Signals


class SignalWeights(BaseModel):
    """How far recall and the LLM's signals move a confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judgement: float
    """Weight of the log odds of P(Yes), centred within the content because a zero-shot judge says yes to most;
    where there is no judgement, of the log odds of the rating."""
    agreement: float
    """Weight of the share of samples that named the tag, centred in the same way."""


WITH_HISTORY = SignalWeights(judgement=0.2, agreement=0.1)
WITHOUT_HISTORY = SignalWeights(judgement=1.0, agreement=0.6)
_HALF_WAY = 50
"""The number of tagged contents at which a zero-shot judge weighs half way between the two."""

TUNED_SHARE = 0.5
"""Share of a fine-tuned judge's log odds, the rest is recall's: both mean the same probability, so neither is
centred."""
TUNED_SHARE_UNSEEN = 0.9
"""The same for unseen tags: recall's probability says little about them."""

UNCERTAIN_FROM, UNCERTAIN_TO = 0.05, 0.9
"""A candidate whose probability by recall is between these is uncertain. On debtags dev a fine-tuned judge that is
asked about these alone, 8 of 10 candidates a document, reaches an F1@5 of .686, and .690 when asked about all."""


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


def weights_for(contents: int) -> SignalWeights:
    """Return how far signals move confidences where no calibrator weighs them.

    Args:
        contents: the number of contents that people have tagged: the more, the better recall is by itself.
    """
    share = contents / (contents + _HALF_WAY)
    return SignalWeights(
        judgement=(1 - share) * WITHOUT_HISTORY.judgement + share * WITH_HISTORY.judgement,
        agreement=(1 - share) * WITHOUT_HISTORY.agreement + share * WITH_HISTORY.agreement,
    )


def uncertain(tags: Iterable[str], recall: Mapping[str, float]) -> list[str]:
    """Return those of some tags about which recall is uncertain, in their order: the cascade asks about these.

    Args:
        tags: ids of candidates.
        recall: their probabilities by recall alone.
    """
    return [tag for tag in tags if UNCERTAIN_FROM <= recall[tag] <= UNCERTAIN_TO]


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
        unseen: tags that history lacks.
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
    # Log odds are clipped, so that very unlikely candidates are alike: among them recall decides.
    return sorted(scored, key=lambda item: (-item.confidence, -(item.signals.recall or 0.0), item.tag))


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
