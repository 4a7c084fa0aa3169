"""The contents of a quality report, computed from results and gold tags."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.passport import Passport
from llm4tag.evaluation import Evaluation
from llm4tag.evaluation.automation import TARGETS, Acceptance, RiskCurve, acceptance, risk_curve
from llm4tag.evaluation.evaluation_report import ranked_tags
from llm4tag.evaluation.losses import MissedTag, WrongTag, losses
from llm4tag.evaluation.metrics import RankedTags, pairs_of
from llm4tag.evaluation.reliability import ReliabilityBin, histogram, reliability
from llm4tag.evaluation.signal_quality import SignalQuality, signal_qualities
from llm4tag.schema import CalibrationNote, Origin, TagResult

CALIBRATED = "calibrated"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoteCount(_Part):
    """A note on calibration, and the number of tags that have it."""

    note: CalibrationNote
    tags: int


class OriginCount(_Part):
    """An origin without the digest of the content, and the number of results that have it."""

    origin: Origin
    results: int


class GuaranteeCheck(_Part):
    """A guarantee of a calibrator, and what its threshold accepts on these documents."""

    target: float
    """The share of wrong tags among the accepted, at most."""
    threshold: float | None
    """The calibrator accepts from this confidence on; None: the documents of its fit do not support the target."""
    realised: Acceptance | None
    """What the threshold accepts here; None without a threshold."""


class QualityReport(_Part):
    """Results compared with gold tags."""

    name: str
    """The name of what was measured, for the title."""
    made: datetime
    version: str
    """The version of llm4tag."""
    files: dict[str, str]
    """The sha256 of the files that the report was made from, by name."""
    notes: tuple[str, ...]
    """What a reader should know before believing the figures."""
    calibration: tuple[NoteCount, ...]
    passports: tuple[Passport, ...]
    """The passports of the calibrators behind the confidences, as far as the store still has them."""
    origins: tuple[OriginCount, ...]
    evaluation: Evaluation
    reliability: tuple[ReliabilityBin, ...]
    guarantees: tuple[GuaranteeCheck, ...]
    """The guarantees of the calibrator behind the confidences; empty if there is none or more than one."""
    curve: RiskCurve
    histogram: tuple[int, ...]
    """The number of pairs whose confidence is between each two neighbours in ``evaluation.reliability.EDGES``."""
    signals: tuple[SignalQuality, ...]
    missed: tuple[MissedTag, ...]
    """Every gold tag that was not accepted, by stage, the most confident first."""
    wrong: tuple[WrongTag, ...]
    """Every accepted tag that is not gold, the most confident first."""

    @property
    def calibrated(self) -> bool:
        """Return whether every confidence is calibrated."""
        return bool(self.calibration) and all(one.note.status == CALIBRATED for one in self.calibration)

    @property
    def calibrated_tags(self) -> int:
        """Return the number of calibrated confidences."""
        return sum(one.tags for one in self.calibration if one.note.status == CALIBRATED)

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return self.model_dump_json(by_alias=True, indent=2)


def quality_report(
    results: Sequence[TagResult],
    gold: Mapping[str, frozenset[str]],
    assignable: frozenset[str],
    evaluation: Evaluation,
    *,
    name: str,
    calibrators: Sequence[Calibrator] = (),
    files: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    done: Callable[[int], None] | None = None,
) -> QualityReport:
    """Return the report on results.

    Args:
        results: the results to report on; at least one.
        gold: the gold tags of every result, at least one each, by content id.
        assignable: the tags that can be output at all.
        evaluation: the evaluation of the same results.
        name: the name of what was measured.
        calibrators: the calibrators of the store; those that have no part in the results are left out.
        files: the sha256 of the files that the report is made from, by name.
        notes: what a reader should know.
        done: called with 1 after each signal that is measured.

    Raises:
        ValueError: a result has no signals.
    """
    documents = [ranked_tags(result, gold[result.id]) for result in results]
    pairs = pairs_of(documents)
    _, missed, wrong = losses(results, gold, assignable)
    calibration = Counter(tag.calibration for result in results for tag in result.tags)
    behind = [one for one in calibrators if one.passport.id in {note.calibrator for note in calibration}]
    origins: dict[str, OriginCount] = {}
    for result in results:
        origin = result.origin.model_copy(update={"content": ""})
        key = origin.model_dump_json()
        known = origins[key].results if key in origins else 0
        origins[key] = OriginCount(origin=origin, results=known + 1)
    return QualityReport(
        name=name,
        made=datetime.now(UTC).replace(microsecond=0),
        version=version("llm4tag"),
        files=dict(files or {}),
        notes=tuple(notes),
        calibration=tuple(NoteCount(note=note, tags=count) for note, count in calibration.most_common()),
        passports=tuple(one.passport for one in behind),
        origins=tuple(sorted(origins.values(), key=lambda one: -one.results)),
        evaluation=evaluation,
        reliability=reliability(pairs, len(documents)),
        guarantees=_guarantee_checks(results, documents, behind[0]) if len(behind) == 1 else (),
        curve=risk_curve(documents),
        histogram=histogram(pairs),
        signals=signal_qualities(results, documents, done),
        missed=tuple(sorted(missed, key=_nearness)),
        wrong=tuple(sorted(wrong, key=lambda one: -one.found.confidence)),
    )


def _guarantee_checks(
    results: Sequence[TagResult], documents: Sequence[RankedTags], calibrator: Calibrator
) -> tuple[GuaranteeCheck, ...]:
    found = []
    for target in TARGETS:
        threshold = calibrator.threshold(target)
        realised = None
        if threshold is not None:
            accepted = [
                [
                    tag.calibration.calibrator == calibrator.passport.id and tag.confidence >= threshold.confidence
                    for tag in result.tags
                ]
                for result in results
            ]
            realised = acceptance(documents, accepted)
        confidence = None if threshold is None else threshold.confidence
        found.append(GuaranteeCheck(target=target, threshold=confidence, realised=realised))
    return tuple(found)


def _nearness(one: MissedTag) -> tuple[str, float, int]:
    """Return a key that sorts by stage, then by falling confidence."""
    return one.stage.value, -(one.found.confidence if one.found else 0.0), one.place or 0
