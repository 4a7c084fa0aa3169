"""What a quality report holds."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.passport import Passport
from llm4tag.evaluation import Evaluation
from llm4tag.evaluation.automation import TARGETS, Curve, Decided, decided, risk_curve
from llm4tag.evaluation.evaluation_report import document_of
from llm4tag.evaluation.losses import Missed, Wrong, losses
from llm4tag.evaluation.metrics import Document, pairs_of
from llm4tag.evaluation.reliability import ReliabilityBin, histogram, reliability
from llm4tag.evaluation.signal_quality import SignalAlone, signals_alone
from llm4tag.schema import CalibrationNote, Origin, TagResult

CALIBRATED = "calibrated"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Noted(_Part):
    """How many tags carry a note on their calibration."""

    note: CalibrationNote
    tags: int


class MadeWith(_Part):
    """How many results were made with the same things; the digest of the content is left out."""

    origin: Origin
    results: int


class Promised(_Part):
    """What a calibrator's guarantee comes to on these documents."""

    target: float
    """Share of wrong tags among the accepted, at most."""
    threshold: float | None
    """Confidence from which the calibrator accepts; None: the documents of its fit do not support the target."""
    realised: Decided | None
    """What that lets through here; None without a threshold."""


class QualityReport(_Part):
    """All that results and labels say of each other."""

    name: str
    """What was measured, for the title."""
    made: datetime
    version: str
    """Of llm4tag."""
    files: dict[str, str]
    """Files that it was made from, by name: their sha256."""
    notes: tuple[str, ...]
    """What a reader should know before believing it."""
    calibration: tuple[Noted, ...]
    passports: tuple[Passport, ...]
    """Of the calibrators behind the calibrated confidences, as far as the store still has them."""
    origins: tuple[MadeWith, ...]
    evaluation: Evaluation
    reliability: tuple[ReliabilityBin, ...]
    promised: tuple[Promised, ...]
    """By the calibrator behind the confidences, where there is one alone; else empty."""
    curve: Curve
    histogram: tuple[int, ...]
    """Pairs by confidence, between each two of ``evaluation.reliability.EDGES``."""
    signals: tuple[SignalAlone, ...]
    missed: tuple[Missed, ...]
    """Every gold tag that was not accepted: those that got furthest first, by stage."""
    wrong: tuple[Wrong, ...]
    """Every accepted tag that is not gold, the most confident first."""

    @property
    def calibrated(self) -> bool:
        """Whether every confidence is a measured probability."""
        return all(one.note.status == CALIBRATED for one in self.calibration)

    @property
    def calibrated_tags(self) -> int:
        """How many confidences are measured probabilities."""
        return sum(one.tags for one in self.calibration if one.note.status == CALIBRATED)

    def to_json(self) -> str:
        """Return it as indented JSON."""
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
        results: at least one.
        gold: the gold tags of every result, at least one each, by content id.
        assignable: the tags that can be output at all.
        evaluation: of the same results.
        name: what was measured.
        calibrators: the store's; those that have no part in the results are left out.
        files: what it was made from, by name: sha256.
        notes: what a reader should know.
        done: told of each signal that has been measured.

    Raises:
        ValueError: a result without signals.
    """
    documents = [document_of(result, gold[result.id]) for result in results]
    pairs = pairs_of(documents)
    _, missed, wrong = losses(results, gold, assignable)
    said = Counter(tag.calibration for result in results for tag in result.tags)
    behind = [one for one in calibrators if one.passport.id in {note.calibrator for note in said}]
    origins: dict[str, MadeWith] = {}
    for result in results:
        origin = result.origin.model_copy(update={"content": ""})
        key = origin.model_dump_json()
        known = origins[key].results if key in origins else 0
        origins[key] = MadeWith(origin=origin, results=known + 1)
    return QualityReport(
        name=name,
        made=datetime.now(UTC).replace(microsecond=0),
        version=version("llm4tag"),
        files=dict(files or {}),
        notes=tuple(notes),
        calibration=tuple(Noted(note=note, tags=count) for note, count in said.most_common()),
        passports=tuple(one.passport for one in behind),
        origins=tuple(sorted(origins.values(), key=lambda one: -one.results)),
        evaluation=evaluation,
        reliability=reliability(pairs, len(documents)),
        promised=_promised(results, documents, behind[0]) if len(behind) == 1 else (),
        curve=risk_curve(documents),
        histogram=histogram(pairs),
        signals=signals_alone(results, documents, done),
        missed=tuple(sorted(missed, key=_nearness)),
        wrong=tuple(sorted(wrong, key=lambda one: -one.found.confidence)),
    )


def _promised(
    results: Sequence[TagResult], documents: Sequence[Document], calibrator: Calibrator
) -> tuple[Promised, ...]:
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
            realised = decided(documents, accepted)
        confidence = None if threshold is None else threshold.confidence
        found.append(Promised(target=target, threshold=confidence, realised=realised))
    return tuple(found)


def _nearness(one: Missed) -> tuple[str, float, int]:
    """Sort by stage, and in each those that came nearest to being accepted first."""
    return one.stage.value, -(one.found.confidence if one.found else 0.0), one.place or 0
