"""What each step of the LLM gains and costs, on the same documents, from answers that are known already.

    python -m benchmarks.steps STORE LABELLED [--limit N] [--seed S] [--adapter DIR] [--whole NAME] [--live]
        [--only NAME …] [--json FILE]

Documents for which the configuration --whole (both) has an answer that is not known are left out of all, and a
configuration that lacks one of the others is left out itself; --live asks instead. Ranking is by the result's own
order. Log loss is by a calibration on the signals, cross-validated by document, over the 40 best candidates by
recall. Differences are to recall alone, with 95 % intervals by a bootstrap over documents that draws the same ones
for both.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import graphs.resources
from calibration.log_odds import probabilities
from graphs.resources import close_resources, resources_for
from llm4tag.evaluation.bootstrap import draws, percentiles
from llm4tag.evaluation.metrics import LOG_LOSS_CLIP, PAIR_DEPTH, RANKING
from llm4tag.evaluation.report import document_of
from llm4tag.evaluation.sample import sample_ids
from llm4tag.inputs import labelled_of
from llm4tag.tagger import Tagger
from models.adapter import Adapter
from models.answers import AnswerCache
from models.cost import count_tokens
from models.language_model import CachedModel, open_llm
from models.llm import Answer, Ask, LanguageModel
from schema import Content, ModelSetupError, Settings, TagResult
from training.calibrator import FEWEST_DOCUMENTS, LabelledPairs, cross_fitted, fit_scale

BOTH = {"samples": 3}
CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "recall alone": {"use_llm": False},
    "1 sample": {"samples": 1, "judge_top": 0},
    "3 samples": {"samples": 3, "judge_top": 0},
    "judge": {"samples": 0},
    "judge, cascade": {"samples": 0, "cascade": True},
    "judge, two rounds": {"samples": 0, "max_rounds": 2},
    "both": BOTH,
    "verbal": {"samples": 0, "verbal": True},
    "both, cascade": {**BOTH, "cascade": True},
    "both, adaptive": {**BOTH, "adaptive": True},
    "both, cascade, adaptive": {**BOTH, "cascade": True, "adaptive": True},
    "recall alone, two rounds": {"use_llm": False, "max_rounds": 2},
    "both, two rounds": {**BOTH, "max_rounds": 2},
}
MEASURED = ("recall@50", "f1@5", "rp@5", "ndcg@10")


@dataclass
class Meter:
    """What a configuration asked, known answers included."""

    questions: int = 0
    live: int = 0
    prompt_tokens: int = 0
    live_seconds: float = 0.0


@dataclass
class Metered:
    """An LLM whose questions are counted; meets ``LanguageModel``."""

    inner: LanguageModel
    meter: Meter = field(default_factory=Meter)

    @property
    def name(self) -> str:
        """As configured."""
        return self.inner.name

    @property
    def identity(self) -> str:
        """What answers depend on."""
        return self.inner.identity

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return self.inner.local

    @property
    def adapter(self) -> Adapter | None:
        """The fine-tuned judge."""
        return self.inner.adapter

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user to read."""
        return self.inner.notes

    async def ask(self, question: Ask) -> Answer:
        """Ask, and count."""
        started = time.perf_counter()
        answer = await self.inner.ask(question)
        self.meter.questions += 1
        self.meter.prompt_tokens += sum(count_tokens(message.content) for message in question.messages)
        if answer.usage.llm_calls:
            self.meter.live += 1
            self.meter.live_seconds += time.perf_counter() - started
        return answer

    async def close(self) -> None:
        """Close the model."""
        await self.inner.close()


class Unknown:
    """Stands where a model would be asked."""

    notes: tuple[str, ...] = ()

    async def ask(self, question: Ask) -> Answer:
        """Refuse.

        Raises:
            ModelSetupError: always.
        """
        raise ModelSetupError("the answer is not known; --live asks")


async def tag(
    contents: Sequence[Content], store: str, models: Mapping[str, Any], live: bool, chosen: Mapping[str, Any]
) -> tuple[list[TagResult], Meter]:
    """Tag by one configuration; a result with an answer that is not known is degraded."""
    meter = Meter()

    async def opening(settings: Settings) -> LanguageModel:
        llm = await open_llm(settings)
        if live:
            return Metered(llm, meter)
        known = AnswerCache(settings.cache_dir, llm.identity)
        return Metered(
            CachedModel(llm.name, llm.identity, Unknown(), known, local=llm.local, adapter=llm.adapter), meter
        )

    graphs.resources.open_llm = opening  # type: ignore[attr-defined,assignment]
    options = {"max_rounds": 1, "top": 1000, "uncalibrated": True, "cascade": False, **models, **chosen}
    async with Tagger(store, **options) as tagger:
        return await tagger.atag_many(contents, 1 if live else None), meter


def losses(results: Sequence[TagResult], gold: Mapping[str, frozenset[str]], seed: int) -> NDArray[np.float64]:
    """Return the held-out log loss of each document's best candidates by recall: its sum, and of how many."""
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
    results: Mapping[str, Sequence[TagResult]], gold: Mapping[str, frozenset[str]], seed: int
) -> dict[str, dict[str, Any]]:
    """Return each configuration's metrics, with the interval of the difference to the first."""
    ranking = {
        name: np.array([[RANKING[m](document_of(one, gold[one.id])) for m in MEASURED] for one in found])
        for name, found in results.items()
    }
    lost = {name: losses(found, gold, seed) for name, found in results.items()}
    count = len(next(iter(results.values())))

    def values(name: str, times: NDArray[np.int64]) -> NDArray[np.float64]:
        total, pairs = times @ lost[name]
        return np.append(times @ ranking[name] / times.sum(), total / pairs)

    once, drawn = np.ones(count, dtype=np.int64), list(draws(count))
    base = next(iter(results))
    told = {}
    for name in results:
        difference = np.array([values(name, times) - values(base, times) for times in drawn])
        told[name] = {
            metric: {"value": value, "difference": value - first, "difference_95": percentiles(column)}
            for metric, value, first, column in zip(
                (*MEASURED, "log_loss"), values(name, once), values(base, once), difference.T, strict=True
            )
        }
    return told


async def measure(
    store: str,
    file: Path,
    limit: int | None,
    seed: int,
    models: Mapping[str, Any],
    live: bool,
    whole: str,
    only: Sequence[str],
) -> dict[str, Any]:
    """Tag by every configuration, and measure on the documents that all of them have whole."""
    resources = await resources_for(Tagger(store, use_llm=False).options)
    read = labelled_of(str(file), await resources.store.vocabulary())
    await close_resources()
    wanted = sample_ids((one.content.id for one in read.rows), limit, seed)
    rows = [one for one in read.rows if one.content.id in wanted]
    gold = {one.content.id: one.gold for one in rows}
    contents = [one.content for one in rows]
    found: dict[str, list[TagResult]] = {}
    meters: dict[str, Meter] = {}
    skipped: list[str] = []
    order = [whole, *(name for name in CONFIGURATIONS if name != whole)]
    for name in [one for one in order if not only or one in only or one in ("recall alone", whole)]:
        typer.echo(f"{name}: {len(contents)} documents", err=True)
        results, meter = await tag(contents, store, models, live, CONFIGURATIONS[name])
        known = {one.id for one in results if one.degraded is None}
        if name == whole:
            contents = [one for one in contents if one.id in known]
            if len(contents) < FEWEST_DOCUMENTS:
                raise SystemExit(f"{len(contents)} documents with known answers: --live asks for more")
            if len(known) < len(results):
                results, meter = await tag(contents, store, models, live, CONFIGURATIONS[name])
        elif len(known) < len(contents):
            skipped.append(name)
            continue
        found[name], meters[name] = results, meter
    results_by = {name: found[name] for name in CONFIGURATIONS if name in found}
    told = figures(results_by, gold, seed)
    most = meters[whole].questions
    for name, meter in meters.items():
        told[name] |= {
            "second_rounds": sum(one.rounds > 1 for one in found[name]),
            "questions": meter.questions,
            "replayed": meter.questions - meter.live,
            "calls": meter.live,
            "saved": 1 - meter.questions / most,
            "prompt_tokens": meter.prompt_tokens,
            "seconds": meter.questions * meter.live_seconds / meter.live if meter.live else None,
        }
    recipe = found[whole][0].origin.recipe
    return {
        "documents": len(contents),
        "recipe": recipe.value if recipe else None,
        "not_known": skipped,
        "configurations": told,
    }


def draw(told: Mapping[str, Any]) -> Table:
    """Return the figures as a table."""
    table = Table(title=f"{told['documents']} documents, recipe {told['recipe']}")
    table.add_column("")
    for name in (*MEASURED, "log_loss", "questions", "saved", "prompt tokens", "calls", "seconds"):
        table.add_column(name, justify="right")
    for name, row in told["configurations"].items():
        cells = []
        for one in (row[metric] for metric in (*MEASURED, "log_loss")):
            low, high = one["difference_95"]
            cells.append(f"{one['value']:.3f}\n{one['difference']:+.3f} {low:+.3f}..{high:+.3f}")
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f}"
        table.add_row(
            name,
            *cells,
            f"{row['questions']:,}",
            f"{row['saved']:.0%}",
            f"{row['prompt_tokens']:,}",
            f"{row['calls']:,}",
            seconds,
        )
    return table


def main(
    store: str,
    labelled: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int | None, typer.Option(min=FEWEST_DOCUMENTS)] = None,
    seed: int = 0,
    model: str | None = None,
    adapter: str | None = None,
    judge_form: str | None = None,
    whole: Annotated[str, typer.Option(help="The configuration of which all answers are to be known.")] = "both",
    live: Annotated[bool, typer.Option("--live", help="Ask what is not known.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Configurations beside 'recall alone' and --whole.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure, print a table, and write the figures as JSON."""
    if unknown := {whole, *(only or ())} - CONFIGURATIONS.keys():
        raise typer.BadParameter(f"no configuration {sorted(unknown)}; there are {', '.join(CONFIGURATIONS)}")
    models = {"model": model, "adapter": adapter, "judge_form": judge_form}
    told = asyncio.run(measure(store, labelled, limit, seed, models, live, whole, only or ()))
    Console(width=200).print(draw(told))
    if json_file is not None:
        json_file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
