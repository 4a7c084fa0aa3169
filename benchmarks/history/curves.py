"""The curves of quality over history: their means, where they fall, and their picture."""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.history.growth import SHOWN
from llm4tag.calibration.log_odds import Floats

_DRAWS = 1_000
_LEAST = -0.01
"""A fall counts where its whole interval lies below this."""
_WATCHED = ("p@1", "ndcg@10", "recall@50")


def mean_of(figures: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the mean of each figure over the orders, None where it is undefined in one."""
    found: dict[str, float | None] = {}
    for name in figures[0]:
        values = [one[name] for one in figures]
        known = [value for value in values if value is not None]
        found[name] = round(float(np.mean(known)), 4) if len(known) == len(values) else None
    return found


def falls(curves: Mapping[str, Floats]) -> list[str]:
    """Return in words each fall from one size to the next whose 95 % interval lies below ``_LEAST``.

    Differences are paired by document and order; documents and orders are drawn.

    Args:
        curves: by size, in rising order, arrays of shape (orders, metrics, documents).
    """
    random = np.random.default_rng(0)
    found = []
    for (small, before), (large, after) in pairwise(curves.items()):
        orders = min(len(before), len(after)) if len(before) > 1 else len(after)
        differences = after[:orders] - (before[:orders] if len(before) > 1 else before[:1])
        for place, name in enumerate(SHOWN):
            if name not in _WATCHED:
                continue
            some = differences[:, place]
            draws = [
                some[np.ix_(random.integers(0, len(some), len(some)), _documents(random, some))].mean()
                for _ in range(_DRAWS)
            ]
            low, high = np.quantile(draws, (0.025, 0.975))
            if high < _LEAST:
                found.append(f"{name} from {small} to {large}: {some.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    return found


def _documents(random: np.random.Generator, some: Floats) -> Any:
    return random.integers(0, some.shape[1], some.shape[1])


def draw_curves(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> bytes:
    """Return the curves as a PNG, with those of the three recipes where they are known.

    Args:
        found: what ``benchmarks.history`` measured.
        before: the same of the three recipes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    curves: Mapping[str, Any] = found["curves"]
    sizes = list(curves)
    for axes, name in zip(figure.subplots(1, 3), _WATCHED, strict=True):
        axes.plot(range(len(sizes)), [curves[size][name] for size in sizes], marker="o", label="one recall")
        for recipe in ("vocabulary", "history", "learned") if before else ():
            known = {
                size: one[name] for size in sizes if before and (one := before["curves"].get(f"{recipe} {size}"))
            }
            style = {"marker": "x", "linestyle": "--"}
            axes.plot(
                [sizes.index(size) for size in known], list(known.values()), label=f"before: {recipe}", **style
            )
        axes.set_xticks(range(len(sizes)), sizes)
        axes.set(title=name, xlabel="tagged contents", ylim=(0, 1))
        axes.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    data = io.BytesIO()
    figure.savefig(data, dpi=110)
    return data.getvalue()
