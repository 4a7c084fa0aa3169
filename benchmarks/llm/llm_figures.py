"""Metrics of configurations, with paired intervals of their differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from llm4tag.calibration.log_odds import probabilities
from llm4tag.evaluation.bootstrap import draws, percentiles
from llm4tag.evaluation.evaluation_report import ranked_tags
from llm4tag.evaluation.metrics import LOG_LOSS_CLIP, PAIR_DEPTH, RANKING
from llm4tag.schema import TagResult
from llm4tag.training.calibrator_fit import cross_fitted, fit_scale
from llm4tag.training.labelled_pairs import LabelledPairs

MEASURED = ("recall@50", "f1@5", "rp@5", "ndcg@10")
LOG_LOSS = "log_loss"


def losses(results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], seed: int) -> NDArray[np.float64]:
    """Return the sum of held-out log losses of each document's best candidates by recall, and their number."""
    heads = [
        one.model_copy(
            update={"tags": tuple(sorted(one.tags, key=lambda t: (-(t.signals.recall or 0), t.id))[:PAIR_DEPTH])}
        )
        for one in results
    ]
    pairs = LabelledPairs.of(heads, gold)
    logits, _ = cross_fitted(pairs, lambda some: fit_scale(some, seed).scale, seed)
    confidence = np.clip(probabilities(logits), LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    loss = -np.where(pairs.right, np.log(confidence), np.log1p(-confidence))
    return np.column_stack(
        [np.bincount(pairs.document, loss, len(results)), np.bincount(pairs.document, minlength=len(results))]
    )


def figures(
    results: Mapping[str, Sequence[TagResult]],
    gold: Mapping[str, frozenset[str]],
    seed: int,
    against: Mapping[str, str] | None = None,
    metrics: Sequence[str] = MEASURED,
) -> dict[str, dict[str, Any]]:
    """Return each configuration's metrics, with the interval of a difference.

    Args:
        results: the results of each configuration, for the same documents in the same order.
        gold: the gold tags, by document.
        seed: of the folds that log loss is cross-validated with.
        against: the configuration that one is compared to; by default, the first.
        metrics: names in ``RANKING``; log loss is added to them.
    """
    ranking = {
        name: np.array([[RANKING[m](ranked_tags(one, gold[one.id])) for m in metrics] for one in found])
        for name, found in results.items()
    }
    lost = {name: losses(found, gold, seed) for name, found in results.items()}
    count = len(next(iter(results.values())))

    def values(name: str, times: NDArray[np.int64]) -> NDArray[np.float64]:
        total, pairs = times @ lost[name]
        return np.append(times @ ranking[name] / times.sum(), total / pairs)

    once, drawn = np.ones(count, dtype=np.int64), list(draws(count))
    first = next(iter(results))
    rows: dict[str, dict[str, Any]] = {}
    for name in results:
        base = (against or {}).get(name, first)
        base = base if base in results else first
        difference = np.array([values(name, times) - values(base, times) for times in drawn])
        rows[name] = {
            metric: {"value": value, "difference": value - other, "difference_95": percentiles(column)}
            for metric, value, other, column in zip(
                (*metrics, LOG_LOSS), values(name, once), values(base, once), difference.T, strict=True
            )
        }
        rows[name]["against"] = base
    return rows


def draw(report: Mapping[str, Any], metrics: Sequence[str] = MEASURED) -> Table:
    """Return the figures as a table."""
    table = Table(title=f"{report['documents']} documents")
    table.add_column("")
    for name in (*metrics, LOG_LOSS, "questions", "saved", "prompt tokens", "calls", "seconds"):
        table.add_column(name, justify="right")
    for name, row in report["configurations"].items():
        cells = []
        for one in (row[metric] for metric in (*metrics, LOG_LOSS)):
            low, high = one["difference_95"]
            cells.append(f"{one['value']:.3f}\n{one['difference']:+.3f} {low:+.3f}..{high:+.3f}")
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f}"
        table.add_row(
            f"{name}\nagainst {row['against']}",
            *cells,
            f"{row['questions']:,}",
            f"{row['saved']:.0%}",
            f"{row['prompt_tokens']:,}",
            f"{row['calls']:,}",
            seconds,
        )
    return table
