"""An evaluation drawn for a reader."""

from rich.console import Group, RenderableType
from rich.table import Table

from llm4tag.evaluation.report import Evaluation


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
    table = Table(title="By how many documents of history carry the tag", title_justify="left")
    table.add_column("documents")
    for name in ("gold tags", "recall@5", "recall@10", "recall@50"):
        table.add_column(name, justify="right")
    for part in evaluation.by_frequency:
        recalls = (part.recall_at_5, part.recall_at_10, part.recall_at_50)
        table.add_row(
            part.history_documents, str(part.gold), *("-" if one is None else f"{one:.3f}" for one in recalls)
        )
    return table


def _losses(evaluation: Evaluation) -> Table:
    losses = evaluation.losses
    table = Table(title="Where the gold tags are", title_justify="left")
    table.add_column("place")
    table.add_column("gold tags", justify="right")
    table.add_column("share", justify="right")
    for place, count in {
        "among the first 5": losses.in_first_5,
        "recalled, below the 5th": losses.below_5,
        "not recalled": losses.not_recalled,
        "outside the vocabulary": losses.outside_vocabulary,
    }.items():
        table.add_row(place, str(count), _share(count, losses.gold))
    return table


def draw(evaluation: Evaluation) -> RenderableType:
    """Return tables for a terminal: metrics with intervals, recall by frequency, losses, cost."""
    cost = evaluation.cost
    words = (
        f"{cost.llm_calls} LLM calls ({cost.cached_answers} answers replayed), {cost.prompt_tokens} prompt and "
        f"{cost.completion_tokens} completion tokens, {cost.seconds / evaluation.documents:.2f} s a document"
    )
    if cost.cost is not None:
        words += f", ${cost.cost:.4f}"
    parts: list[RenderableType] = [_metrics(evaluation), _frequencies(evaluation), _losses(evaluation), words]
    uncalibrated = evaluation.calibration.get("uncalibrated", 0)
    if uncalibrated:
        parts.append(
            f"{uncalibrated} of {sum(evaluation.calibration.values())} confidences are uncalibrated: they rank, "
            "they are not probabilities."
        )
    if evaluation.metrics["auroc"] is None:
        parts.append("AUROC is undefined: the pairs are all right or all wrong.")
    return Group(*parts)
