"""Test of the guarantee of ``--max-error`` on labelled contents that are tagged already.

    llm4tag evaluate dev.jsonl --store my.store --no-llm --uncalibrated -o tagged.jsonl
    uv run python -m benchmarks.guarantee_trials tagged.jsonl dev.jsonl --repeats 200 --json guarantee.json

``halves`` calibrates on a random half of the documents, choices included, and counts with its thresholds on the
other half. The other half is small too: if the true share of wrong tags is just within the target, chance puts
about half of the repeats above it, and a half that looks good leaves the bad documents to the other. So ``draws``
checks only the tests: documents are drawn with replacement from all, the threshold is found on them with the
held-out confidences of all, and the share of wrong tags is counted on all documents, which are then the
population.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from llm4tag.calibration.calibrator import Scale
from llm4tag.calibration.guarantee import LEVEL, Trials, threshold_for
from llm4tag.calibration.log_odds import probabilities
from llm4tag.calibration_run import labelled_pairs
from llm4tag.result_files import read_results
from llm4tag.training.calibrator_fit import cross_fitted, fit_scale
from llm4tag.training.labelled_pairs import LabelledPairs

TARGETS = (0.05, 0.1, 0.2)


class TargetCounts:
    """Counts of accepted and wrong tags for one target, over repeats; sums by document give intervals."""

    def __init__(self, documents: int, gold: NDArray[np.float64]) -> None:
        self._gold = gold
        self._accepted, self._wrong = np.zeros(documents), np.zeros(documents)
        self._of = np.zeros(documents)
        self._shares: list[float] = []
        self._repeats = 0

    def add(self, trials: Trials, documents: NDArray[np.int64], threshold: float | None) -> None:
        """Count one repeat; ``documents`` are the numbers of the trials' documents, in order."""
        self._repeats += 1
        np.add.at(self._of, documents, self._gold[documents])
        if threshold is None:
            return
        taken = trials.confidence >= threshold
        number = documents[trials.document[taken]]
        wrong = ~trials.right[taken]
        np.add.at(self._accepted, number, 1.0)
        np.add.at(self._wrong, number[wrong], 1.0)
        if len(number):
            self._shares.append(float(wrong.mean()))

    def figures(self, target: float) -> dict[str, Any]:
        """Return the figures of all repeats."""
        random = np.random.default_rng(0)
        weights = random.multinomial(len(self._of), np.full(len(self._of), 1 / len(self._of)), 1000)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = (weights @ self._wrong) / (weights @ self._accepted)
        pooled = float(self._wrong.sum() / self._accepted.sum()) if self._accepted.any() else None
        return {
            "target": target,
            "repeats": self._repeats,
            "accepted_something": len(self._shares),
            "above_target": sum(share > target for share in self._shares) / self._repeats,
            "mean_error": float(np.mean(self._shares)) if self._shares else None,
            "pooled_error": pooled,
            "pooled_error_95": [] if pooled is None else [float(x) for x in np.nanquantile(drawn, [0.025, 0.975])],
            "automated": float((self._accepted - self._wrong).sum() / self._of.sum()),
        }


def halves(
    pairs: LabelledPairs, gold: NDArray[np.float64], targets: Sequence[float], level: float, repeats: int
) -> list[dict[str, Any]]:
    """Calibrate on random halves and count on the other halves."""
    documents = len(gold)
    counts = {target: TargetCounts(documents, gold) for target in targets}
    for repeat, (some, others) in enumerate(_halves(documents, repeats)):
        own = pairs.at(np.flatnonzero(np.isin(pairs.document, some)))
        logits, _ = cross_fitted(own, _scale, repeat)
        scale = fit_scale(own, repeat).scale
        held = pairs.at(np.flatnonzero(np.isin(pairs.document, others)))
        calibration = _trials(own, logits, some)
        test = _trials(held, scale.logits(held.rows, held.tags.tolist()), others)
        for target, count in counts.items():
            found = threshold_for(calibration, target, level)
            count.add(test, others, None if found is None else found.confidence)
        if repeat % 10 == 9:
            typer.echo(f"{repeat + 1} of {repeats} halves", err=True)
    return [count.figures(target) for target, count in counts.items()]


def draws(
    pairs: LabelledPairs,
    gold: NDArray[np.float64],
    targets: Sequence[float],
    level: float,
    repeats: int,
    size: int,
) -> list[dict[str, Any]]:
    """Draw documents with replacement, and count on all documents."""
    random = np.random.default_rng(2)
    logits, _ = cross_fitted(pairs, _scale, 0)
    every = np.arange(len(gold))
    population = _trials(pairs, logits, every)
    counts = {target: TargetCounts(len(gold), gold) for target in targets}
    for _ in range(repeats):
        drawn = population.of(random.integers(0, len(gold), size))
        for target, count in counts.items():
            found = threshold_for(drawn, target, level)
            count.add(population, every, None if found is None else found.confidence)
    return [count.figures(target) for target, count in counts.items()]


def _scale(pairs: LabelledPairs) -> Scale:
    return fit_scale(pairs).scale


def _halves(count: int, repeats: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    random = np.random.default_rng(1)
    for _ in range(repeats):
        order = random.permutation(count)
        yield np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def _trials(pairs: LabelledPairs, logits: NDArray[np.float64], documents: NDArray[np.int64]) -> Trials:
    """Return trials whose documents are numbered by their place among ``documents``, sorted."""
    place = np.searchsorted(documents, pairs.document)
    return Trials(probabilities(logits), pairs.right, place, len(documents))


def _gold(path: Path) -> Mapping[str, frozenset[str]]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["id"]: frozenset(row["tags"]) for row in rows}


def main(
    results: Annotated[Path, typer.Argument(help="Results with estimated confidences.")],
    gold: Annotated[Path, typer.Argument(help="JSONL with id and tags, by their ids.")],
    repeats: Annotated[int, typer.Option(min=1)] = 200,
    level: Annotated[float, typer.Option("--confidence", min=0.5, max=0.999)] = LEVEL,
    target: Annotated[list[float] | None, typer.Option(help="May be given several times.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, and print the figures as JSON."""
    right, targets = _gold(gold), target or TARGETS
    whole, pairs = labelled_pairs(list(read_results(results)), right)
    counts = np.array([len(right[one.id]) for one in whole], dtype=np.float64)
    size = len(counts)
    report = {
        "documents": size,
        "confidence": level,
        "draws": draws(pairs, counts, targets, level, repeats, size),
        "draws_of_half_as_many": draws(pairs, counts, targets, level, repeats, size // 2),
        "halves": halves(pairs, counts, targets, level, repeats),
    }
    text = json.dumps(report, indent=2)
    typer.echo(text)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
