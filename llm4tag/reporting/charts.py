"""The charts of a quality report as PNG, light and dark, drawn by matplotlib's Agg without its global state."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from llm4tag.evaluation.reliability import EDGES
from llm4tag.evaluation.signal_quality import COMBINED, CONSTANT
from llm4tag.reporting.quality_report import QualityReport
from llm4tag.schema import UsageError

_SIZE = (4.8, 3.7)
"""Width and height in inches: as wide as a phone, which then shrinks nothing much."""
_DPI = 200
_COLOURS = 96
"""The number of colours in a PNG."""
_MOST_ERROR = 0.5
"""The risk-coverage curve is shown up to this error, or up to a little above the error of the accepted tags."""


@dataclass(frozen=True)
class Theme:
    """The colours of a figure."""

    ground: str
    text: str
    faint: str
    first: str
    second: str
    third: str


THEMES: Mapping[str, Theme] = MappingProxyType(
    {
        "light": Theme("#ffffff", "#1c2330", "#c3cad5", "#1f5fbf", "#b45309", "#64748b"),
        "dark": Theme("#171c26", "#e5eaf2", "#475062", "#7ab3ff", "#f2b04c", "#a3aec0"),
    }
)


def check_matplotlib() -> None:
    """Make sure that matplotlib is installed.

    Raises:
        UsageError: it is not.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "charts are drawn by matplotlib, which is not installed", remedy="{install_report}"
        ) from error


def draw_charts(report: QualityReport, theme: Theme) -> dict[str, bytes]:
    """Return the charts as PNG, by name; charts that would show nothing are left out.

    Raises:
        UsageError: matplotlib is not installed.
    """
    check_matplotlib()
    return {name: _png(draw, report, theme) for name, (draw, shown) in _FIGURES.items() if shown(report)}


def _png(draw: "Callable[[Any, QualityReport, Theme], None]", report: QualityReport, theme: Theme) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor=theme.ground, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure, report, theme)
    for axes in figure.axes:
        _style(axes, theme)
    canvas.draw()
    target = io.BytesIO()
    # With few colours a figure has a third of the bytes and looks the same.
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    drawn.quantize(_COLOURS, dither=Image.Dither.NONE).save(target, "png", optimize=True)
    return target.getvalue()


def _style(axes: Any, theme: Theme) -> None:
    axes.set_facecolor(theme.ground)
    axes.tick_params(colors=theme.text, labelsize=9, which="both")
    axes.xaxis.label.set(color=theme.text, fontsize=9.5)
    axes.yaxis.label.set(color=theme.text, fontsize=9.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.faint)
    legend = axes.get_legend()
    if legend is not None:
        legend.get_frame().set(facecolor=theme.ground, edgecolor="none", alpha=0.85)
        for text in legend.get_texts():
            text.set(color=theme.text, fontsize=8.5)


def _percent_axis(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _square_root(axis_setter: Callable[..., None]) -> None:
    """Stretch the low end of an axis, where most candidates lie; the diagonal stays straight."""
    import numpy as np

    def root(values: Any) -> Any:
        return np.sqrt(np.clip(values, 0, None))

    axis_setter("function", functions=(root, np.square))


def _reliability(figure: Any, report: QualityReport, theme: Theme) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    bins = report.reliability
    ticks = (0, 0.02, 0.1, 0.25, 0.5, 0.75, 1)
    upper.plot((0, 1), (0, 1), color=theme.third, linestyle="--", linewidth=1, label="as it should be")
    # Not every share lies within the percentiles of its resamples.
    spans = [one.interval or (one.right, one.right) for one in bins]
    upper.vlines(
        [one.confidence for one in bins],
        [low for low, _ in spans],
        [high for _, high in spans],
        color=theme.first,
        alpha=0.45,
        linewidth=5,
        label="95 % over documents",
    )
    upper.plot(
        [one.confidence for one in bins],
        [one.right for one in bins],
        "o",
        color=theme.first,
        markersize=4.5,
        label=f"{len(bins)} bins of about {bins[0].pairs:,} tags",
    )
    _square_root(upper.set_xscale)
    _square_root(upper.set_yscale)
    upper.set(xlim=(0, 1), ylim=(0, 1.02), xticks=ticks, yticks=ticks, ylabel="right")
    upper.legend(loc="upper left")
    lower.stairs(report.histogram, EDGES, color=theme.first, alpha=0.6, fill=True)
    lower.set(ylabel="tags", xlabel=confidence_word(report), yscale="symlog")
    lower.set_yticks((0, 10, 1000), ("0", "10", "1000"))
    for axis in (upper.xaxis, upper.yaxis):
        _percent_axis(axis)


def _risk_coverage(figure: Any, report: QualityReport, theme: Theme) -> None:
    axes = figure.subplots()
    found = report.evaluation.automation
    curve, decided = report.curve, found.decided
    top = max(_MOST_ERROR, 1.15 * (decided.error or 0.0))
    axes.fill_between(curve.grid, curve.low, curve.high, color=theme.first, alpha=0.2, linewidth=0)
    axes.plot(
        curve.automated, curve.error, color=theme.first, linewidth=1.8, label="most confident first, 95 % band"
    )
    for one in found.at_errors:
        axes.axhline(one.target, color=theme.faint, linewidth=0.8, linestyle=":")
        if one.error is not None:
            axes.plot(one.automated, one.error, "o", color=theme.first, markersize=5)
        label = f"{one.automated:.0%} automated at {one.target:.0%}"
        axes.text(0.995, one.target, label, color=theme.text, fontsize=8, ha="right", va="bottom")
    if decided.error is not None:
        axes.plot(
            decided.automated, decided.error, "D", color=theme.second, markersize=7, label="accepted by decision"
        )
    axes.set(
        xlim=(0, 1), ylim=(0, min(1.0, top)), xlabel="right tags automated", ylabel="wrong among the accepted"
    )
    _percent_axis(axes.xaxis)
    _percent_axis(axes.yaxis)
    axes.legend(loc="upper left")


def _gold(figure: Any, report: QualityReport, theme: Theme) -> None:
    axes = figure.subplots()
    stages = report.evaluation.losses.by_stage
    gold = max(1, report.evaluation.losses.gold)
    names = [name.replace(", ", ",\n").replace(" the ", " the\n") for name in stages]
    colours = [theme.first, *[theme.second] * (len(stages) - 2), theme.third]
    bars = axes.barh(names, list(stages.values()), color=colours, height=0.62)
    labels = [f"{count:,}  ({count / gold:.1%})" for count in stages.values()]
    axes.bar_label(bars, labels, padding=4, color=theme.text, fontsize=9)
    axes.invert_yaxis()
    axes.set(xlabel="gold tags", xlim=(0, 1.35 * max(1, *stages.values())))


def _signals(figure: Any, report: QualityReport, theme: Theme) -> None:
    axes = figure.subplots()
    shown = [one for one in report.signals if one.name != CONSTANT]
    for place, one in enumerate(shown):
        colour = theme.second if one.name == COMBINED else theme.first
        if one.mapped is None:
            continue
        value, interval = one.mapped.metrics["log_loss"], one.mapped.intervals["log_loss"]
        if interval is not None:
            axes.hlines(place, *interval, color=colour, alpha=0.5, linewidth=4)
        axes.plot(value, place, "o", color=colour, markersize=6)
    constant = report.signals[-1].unmapped
    if constant is not None:
        line = constant.metrics["log_loss"]
        axes.axvline(line, color=theme.third, linestyle="--", linewidth=1.2, label="a constant")
        axes.legend(loc="lower right")
    axes.set_yticks(range(len(shown)), [SIGNAL_LABELS.get(one.name, one.name) for one in shown])
    axes.invert_yaxis()
    axes.margins(y=0.18)
    axes.set(xlabel="log loss (less is better), 95 % over documents")


def _frequency(figure: Any, report: QualityReport, theme: Theme) -> None:
    axes = figure.subplots()
    bins = [one for one in report.evaluation.by_frequency if one.gold]
    series = (("5", theme.third), ("10", theme.second), ("50", theme.first))
    for place, (depth, colour) in enumerate(series):
        values = [getattr(one, f"recall_at_{depth}") for one in bins]
        bars = axes.bar(
            [spot + (place - 1) * 0.27 for spot in range(len(bins))],
            values,
            width=0.25,
            color=colour,
            label=f"first {depth}",
        )
        axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=2, color=theme.text, fontsize=8)
    axes.set_xticks(range(len(bins)), [f"{one.history_documents}\n({one.gold:,} gold)" for one in bins])
    axes.set(xlabel="documents of history with the tag", ylabel="gold tags found", ylim=(0, 1.3))
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1))
    _percent_axis(axes.yaxis)
    axes.legend(loc="upper left", ncols=3, columnspacing=1, handlelength=1)


SIGNAL_LABELS: Mapping[str, str] = MappingProxyType(
    {
        COMBINED: "confidence (all)",
        CONSTANT: "constant",
        "recall": "recall, fused",
        "agreement": "agreement of samples",
        "p_yes": "LLM yes/no",
        "rating": "LLM in words",
        "c2t": "path: tag's own words",
        "c2c2t": "path: similar contents",
        "linear": "path: linear scorer",
        "t2t": "path: tag to tag",
    }
)
"""The names of signals for people to read."""

_Draw = Callable[[Any, QualityReport, Theme], None]
_FIGURES: Mapping[str, tuple[_Draw, Callable[[QualityReport], bool]]] = MappingProxyType(
    {
        "reliability": (_reliability, lambda report: bool(report.reliability)),
        "risk-coverage": (_risk_coverage, lambda report: bool(report.curve.error)),
        "signals": (_signals, lambda report: bool(report.signals)),
        "frequency": (_frequency, lambda report: any(one.gold for one in report.evaluation.by_frequency)),
        "gold": (_gold, lambda _: True),
    }
)
"""The function that draws each figure, and the one that says whether there is anything to show."""


def confidence_word(report: QualityReport) -> str:
    """Return the word for the confidences of a report, with a mark unless a calibrator measured all of them."""
    if report.calibrated:
        return "confidence"
    return "confidence, partly calibrated" if report.calibrated_tags else "confidence, estimated"
