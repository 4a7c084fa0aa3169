"""``llm4tag calibrate``: make confidences mean what they say, and state what may go out unseen."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say
from llm4tag.cli.measure_options import KeepOptions
from llm4tag.cli.option_groups import grouped
from llm4tag.cli.tagging_options import RunOptions, TaggerOptions

if TYPE_CHECKING:
    from llm4tag.batch import RunReport
    from llm4tag.evaluation.calibration_report import CalibrationReport
    from llm4tag.evaluation.labelled_files import LabelledContent
    from llm4tag.graphs.context import TagOptions
    from llm4tag.input_contents import InputRows


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(calibrate)


@grouped
def calibrate(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSONL, CSV or Parquet with the columns id, text and tags.")
    ],
    tagging: TaggerOptions,
    options: RunOptions,
    keep: KeepOptions,
    level: Annotated[
        float,
        typer.Option("--confidence", min=0.5, max=0.999, help="How sure the guarantees of --max-error are to be."),
    ] = 0.9,
) -> None:
    r"""Tag labelled contents, fit a calibrator on them and keep it in the store.

    From then on results made under the same conditions have calibrated
    confidences, which order the tags, and `tag --max-error` accepts as many
    tags as may be. 50 labelled contents do; label them as completely as you
    want new ones tagged, and take none that the store has as history. A store
    keeps one calibrator for results with an LLM and one for those without.

    [bold]Examples[/bold]

    \b
    llm4tag calibrate labelled.jsonl --store my.store --no-llm
    llm4tag calibrate labelled.jsonl --store my.store --limit 60 -o tagged.jsonl --json figures.json
    llm4tag tag new.jsonl --store my.store -o out.jsonl --no-llm --max-error 0.05
    """
    from llm4tag.batch import RunReport
    from llm4tag.cli.tag_run import say_outcome, telling_what_is_kept
    from llm4tag.evaluation.calibration_table import draw_calibration

    keep.check(file)
    # On all samples: what "adaptive" leaves out, it does for the decisions of a calibrator that is there already.
    context = dataclasses.replace(tagging, max_error=None, uncalibrated=True, adaptive=False).context()
    done = RunReport()
    with telling_what_is_kept(done, keep.output):
        inputs, found = run_async(_calibrate(file, context, options, keep.output, done, level, tagging.max_error))
    keep.show(found.model_dump_json(indent=2), draw_calibration(found))
    if not say_outcome(inputs, done, keep.output, options):
        raise typer.Exit(ExitCode.PARTIAL)


async def _calibrate(
    file: str,
    context: "TagOptions",
    options: RunOptions,
    output: str | None,
    done: "RunReport",
    level: float,
    target: float | None,
) -> "tuple[InputRows[LabelledContent], CalibrationReport]":
    """Tag the labelled contents, fit on the results and keep the calibrator."""
    import asyncio

    from llm4tag.calibration_run import fit_calibrator, fits_of
    from llm4tag.cli.labelled_run import tag_labelled
    from llm4tag.evaluation.calibration_report import TARGETS
    from llm4tag.tagger import Tagger
    from llm4tag.tools.artifacts import save_calibrator
    from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS

    async with Tagger(**context.model_dump()) as tagger:
        tagged = await tag_labelled(file, tagger, context, options, output, done, fewest=FEWEST_DOCUMENTS)
        store = (await tagger.runtime()).store
        if known := await store.get_contents(list(tagged.gold)):
            say(
                f"note: {len(known):,} of the labelled contents are in the store already; recall may know them "
                "too well, so that new contents fare worse than these figures say",
                "yellow",
            )
        with progress_bar("fitting", fits_of(len(tagged.results)), "fits") as bar:
            calibrator, found = await asyncio.to_thread(
                fit_calibrator,
                tagged.results,
                tagged.gold,
                await tagger.circumstances(
                    None if options.limit is None else {"limit": options.limit, "seed": options.seed}
                ),
                level=level,
                targets=sorted({*TARGETS, *([target] if target else [])}),
                seed=options.seed,
                done=bar,
            )
        await save_calibrator(store, context.use_llm, calibrator)
    return tagged.inputs, found
