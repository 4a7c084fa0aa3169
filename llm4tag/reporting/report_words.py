"""The words of a quality report: figures as text, and a description of each image for those who cannot see it."""

from llm4tag.evaluation.bootstrap import Interval
from llm4tag.reporting.quality_report import QualityReport


def number(value: float | None, digits: int = 3) -> str:
    """Return a figure as text, or a dash if there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage, or a dash if there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def between(interval: Interval | None, as_percent: bool = False) -> str:
    """Return an interval as text, or an empty text if there is none."""
    if interval is None:
        return ""
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f} %" if as_percent else f"{low:.3f} to {high:.3f}"


def alternative_texts(report: QualityReport) -> dict[str, str]:
    """Return a description of each figure, by its name."""
    evaluation = report.evaluation
    automation, losses = evaluation.automation, evaluation.losses
    worst = max(report.reliability, key=lambda one: abs(one.right - one.confidence), default=None)
    gap = ""
    if worst is not None:
        gap = f" The largest gap: {percent(worst.right)} right where {percent(worst.confidence)} was said."
    signals = ", ".join(
        f"{one.name} {number(measured.metrics['log_loss'])}"
        for one in report.signals
        if (measured := one.mapped) is not None
    )
    found = "; ".join(
        f"{one.history_documents} documents: {percent(one.recall_at_5)}, {percent(one.recall_at_10)} and "
        f"{percent(one.recall_at_50)}"
        for one in evaluation.by_frequency
        if one.gold
    )
    at = ", ".join(f"{percent(one.automated)} at {percent(one.target, 0)}" for one in automation.at_errors)
    fates = ", ".join(f"{name} {count:,}" for name, count in losses.by_stage.items())
    return {
        "reliability": (
            f"Reliability diagram: how often tags are right in {len(report.reliability)} bins of equal mass, with "
            f"bands over documents, and how many tags have each confidence.{gap}"
        ),
        "risk-coverage": (
            "Risk-coverage curve: the share of wrong tags among the accepted against the share of right tags "
            f"automated. With the best threshold in hindsight {at} error; by decision "
            f"{percent(automation.decided.automated)} at {percent(automation.decided.error)}."
        ),
        "signals": f"Log loss of each signal alone, of the confidence and of a constant: {signals}.",
        "frequency": (
            "Share of gold tags among the first 5, 10 and 50, by how many documents of history have the tag. "
            f"{found}."
        ),
        "gold": f"What became of the {losses.gold:,} gold tags: {fates}.",
    }
