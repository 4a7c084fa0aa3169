"""Tables of an evaluation, for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table

from llm4tag.evaluation.evaluation_report import Evaluation


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _share(count: int, whole: int) -> str:
    return f"{count / whole:.1%}" if whole else "-"


def _metrics(evaluation: Evaluation) -> Table:
    table = Table(title=f"{evaluation.documents} documents, {evaluation.pairs} pairs", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, value in evaluation.metrics.items():
        interval = evaluation.intervals[name]
        table.add_row(name, _number(value), "" if interval is None else f"{interval[0]:.3f} - {interval[1]:.3f}")
    table.add_row("prevalence", _number(evaluation.prevalence), "")
    return table


def _frequencies(evaluation: Evaluation) -> Table:
    table = Table(title="By how many documents of history have the tag", title_justify="left")
    table.add_column("documents")
    for name in ("gold tags", "recall@5", "recall@10", "recall@50", "accepted", "error"):
        table.add_column(name, justify="right")
    for part in evaluation.by_frequency:
        recalls = (part.recall_at_5, part.recall_at_10, part.recall_at_50)
        table.add_row(
            part.history_documents,
            str(part.gold),
            *("-" if one is None else f"{one:.3f}" for one in recalls),
            str(part.accepted),
            _percent(part.error),
        )
    return table


def _losses(evaluation: Evaluation) -> Table:
    losses = evaluation.losses
    table = Table(title="What became of the gold tags", title_justify="left")
    table.add_column("stage")
    table.add_column("gold tags", justify="right")
    table.add_column("share", justify="right")
    for stage, count in losses.by_stage.items():
        table.add_row(stage, str(count), _share(count, losses.gold))
    return table


def _automation(evaluation: Evaluation) -> Table:
    found = evaluation.automation
    table = Table(title="How much can be accepted without review", title_justify="left")
    for name in ("accepted", "tags", "error", "right tags automated"):
        table.add_column(name, justify="left" if name == "accepted" else "right")
    for one in found.at_errors:
        label = f"at {one.target:.0%} error, in hindsight"
        table.add_row(label, str(one.accepted), _percent(one.error), _percent(one.automated))
    decided = found.decided
    table.add_row(
        "by decision",
        str(decided.accepted),
        _percent(decided.error),
        _percent(decided.automated),
        end_section=True,
    )
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def draw(evaluation: Evaluation) -> RenderableType:
    """Return tables for a terminal: metrics with intervals, recall by frequency, losses, automation, cost."""
    cost = evaluation.cost
    words = (
        f"{cost.llm_calls} LLM calls ({cost.cached_answers} answers replayed), {cost.prompt_tokens} prompt and "
        f"{cost.completion_tokens} completion tokens, {cost.seconds / evaluation.documents:.2f} s a document"
    )
    if cost.cost is not None:
        words += f", ${cost.cost:.4f}"
    parts: list[RenderableType] = [
        _metrics(evaluation),
        _frequencies(evaluation),
        _losses(evaluation),
        _automation(evaluation),
        words,
    ]
    estimated = evaluation.calibration.get("estimated", 0)
    if estimated:
        parts.append(
            f"{estimated} of {sum(evaluation.calibration.values())} confidences are estimated, from other "
            "vocabularies and this store's history: no calibrator measured them on this store's labels."
        )
    if evaluation.metrics["auroc"] is None:
        parts.append("AUROC is undefined: the pairs are all right or all wrong.")
    return Group(*parts)
