"""``llm4tag calibrate``: fit a calibrator, so that confidences are measured and errors can be limited."""

from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say
from llm4tag.cli.option_groups import grouped
from llm4tag.cli.options import OutputOptions, RunOptions
from llm4tag.schema.options import TagOptions

if TYPE_CHECKING:
    from llm4tag.batch import RunReport
    from llm4tag.evaluation.calibration_report import CalibrationReport
    from llm4tag.evaluation.labelled_files import LabelledContent
    from llm4tag.input_contents import InputRows


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(calibrate)


@grouped
def calibrate(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSONL, CSV or Parquet with the columns id, text and tags.")
    ],
    options: TagOptions,
    run_options: RunOptions,
    outputs: OutputOptions,
    level: Annotated[
        float,
        typer.Option(
            "--confidence", min=0.5, max=0.999, help="Probability with which the guarantee of --max-error holds."
        ),
    ] = 0.9,
) -> None:
    r"""Tag labelled contents, fit a calibrator on the results and save it in the store.

    Results made under the same conditions then have calibrated confidences,
    which order the tags, and `tag --max-error` accepts as many tags as the
    limit allows. 50 labelled contents are enough. Label them as completely as
    you want new contents tagged, and take none that are in the store's history.
    A store has one calibrator for results with an LLM and one for those without.

    [bold]Examples[/bold]

    \b
    llm4tag calibrate labelled.jsonl --store my.store --no-llm
    llm4tag calibrate labelled.jsonl --store my.store --limit 60 -o tagged.jsonl --json figures.json
    llm4tag tag new.jsonl --store my.store -o out.jsonl --no-llm --max-error 0.05
    """
    from llm4tag.batch import RunReport
    from llm4tag.cli.tag_run import print_outcome, reporting_progress
    from llm4tag.evaluation.calibration_table import draw_calibration

    outputs.check(file)
    # All samples are drawn: "adaptive" leaves out those that change no decision of an earlier calibrator.
    tagging = options.model_copy(update={"max_error": None, "uncalibrated": True, "adaptive": False})
    done = RunReport()
    with reporting_progress(done, outputs.output):
        inputs, found = run_async(
            _calibrate(file, tagging, run_options, outputs.output, done, level, options.max_error)
        )
    outputs.show(found.model_dump_json(indent=2), draw_calibration(found))
    if not print_outcome(inputs, done, outputs.output, run_options):
        raise typer.Exit(ExitCode.PARTIAL)


async def _calibrate(
    file: str,
    options: TagOptions,
    run_options: RunOptions,
    output: str | None,
    done: "RunReport",
    level: float,
    target: float | None,
) -> "tuple[InputRows[LabelledContent], CalibrationReport]":
    """Tag the labelled contents, fit a calibrator on the results and save it in the store."""
    import asyncio

    from llm4tag.calibration_run import fit_calibrator, fits_of
    from llm4tag.cli.labelled_run import tag_labelled
    from llm4tag.evaluation.calibration_report import GUARANTEE_TARGETS
    from llm4tag.tagger import Tagger
    from llm4tag.tools.artifacts import CalibratorKind, save_calibrator
    from llm4tag.training.calibrator_fit import FEWEST_DOCUMENTS

    async with Tagger(**options.model_dump()) as tagger:
        tagged = await tag_labelled(file, tagger, options, run_options, output, done, fewest=FEWEST_DOCUMENTS)
        store = (await tagger.runtime()).store
        if known := await store.get_contents(list(tagged.gold)):
            say(
                f"note: {len(known):,} of the labelled contents are in the store already; recall may know them "
                "too well, so that new contents may be tagged less well than these figures say",
                "yellow",
            )
        with progress_bar("fitting", fits_of(len(tagged.results)), "fits") as bar:
            calibrator, found = await asyncio.to_thread(
                fit_calibrator,
                tagged.results,
                tagged.gold,
                await tagger.fit_conditions(
                    None if run_options.limit is None else {"limit": run_options.limit, "seed": run_options.seed}
                ),
                level=level,
                targets=sorted({*GUARANTEE_TARGETS, *([target] if target else [])}),
                seed=run_options.seed,
                done=bar,
            )
        kind = CalibratorKind.LABELS_WITH_LLM if options.use_llm else CalibratorKind.LABELS
        await save_calibrator(store, kind, calibrator)
    return tagged.inputs, found
