"""Tables of a calibrator's report and of its passport, for a terminal."""

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table

from llm4tag.calibration.passport import Figure, Passport
from llm4tag.evaluation.calibration_report import CalibrationReport

SHOWN = ("log_loss", "brier", "ece", "auroc", "rp@5", "rp@10")


def draw_calibration(report: CalibrationReport) -> RenderableType:
    """Return tables for a terminal: the figures of each confidence, the guarantees, and what they cover."""
    words = (
        f"{report.method}; on {report.documents:,} documents with {report.pairs:,} candidates, "
        f"{report.right:,} of them right."
    )
    parts: list[RenderableType] = [words, _measured(report), _guarantees(report), _supported(report)]
    if report.left_out:
        parts.append(f"{report.left_out:,} documents with a degraded result were left out.")
    return Group(*parts, report.covered, report.not_covered)


def draw_passport(passport: Passport) -> RenderableType:
    """Return a passport for a terminal."""
    table = Table(box=None, show_header=False)
    rows = {
        "calibrator": passport.id,
        "method": passport.method,
        "documents": f"{passport.documents:,}; {passport.pairs:,} candidates, {passport.right:,} of them right",
        "tagged contents": f"{passport.tagged_contents:,}",
        "confidence": f"{passport.level:.0%} that the share of wrong tags stays within a target",
        **passport.conditions,
        **{name: _figure(passport.metrics[name]).replace("\n", " ") for name in SHOWN if name in passport.metrics},
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "undefined"
    span = "" if figure.low is None or figure.high is None else f"\n{_short(figure.low)}-{_short(figure.high)}"
    return f"{_short(figure.value)}{span}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _measured(report: CalibrationReport) -> Table:
    table = Table(
        title="Held-out documents, with 95 % bootstrap intervals over them",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", no_wrap=True)
    for name in SHOWN:
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.measured:
        table.add_row(row.name, *(_figure(row.metrics[name]) for name in SHOWN))
    return table


def _guarantees(report: CalibrationReport) -> Table:
    table = Table(
        title=f"Largest share of right tags that can be accepted without review, at {report.level:.0%} confidence",
        title_justify="left",
        box=SIMPLE,
    )
    for name in ("wrong at most", "accept from", "accepted", "of them wrong", "right tags automated"):
        table.add_column(name, justify="right")
    for one in report.guarantees:
        if one.threshold is None:
            table.add_row(f"{one.target:g}", "not supported", "0", "", "0.0%")
        else:
            automated = f"{one.automated:.1%}"
            table.add_row(
                f"{one.target:g}", f"{one.threshold:.3f}", f"{one.accepted:,}", f"{one.wrong:,}", automated
            )
    return table


def _supported(report: CalibrationReport) -> str:
    smallest = report.smallest_target
    if smallest is None:
        return "These documents support no target up to 0.5: label more contents."
    return (
        f"The smallest target that these documents support is {smallest:g}; one below it accepts nothing. "
        "Method: learn then test, thresholds from strict to lax, tested over documents on held-out confidences."
    )
