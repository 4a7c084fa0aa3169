"""``llm4tag accept``: accepted tags of results back into the store."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, RejectsOption, StoreOption, progress_bar, run_async, say
from llm4tag.cli.ingest_summary import print_report

if TYPE_CHECKING:
    from llm4tag.knowledge_store.ingest.accepted_tags import AcceptReport
    from llm4tag.models.embedder import Progress


class By(StrEnum):
    """Who stands behind the tags."""

    HUMAN = "human"
    MODEL = "model"


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(accept)


def accept(
    file: Annotated[str, typer.Argument(metavar="OUT.jsonl", help="Results of llm4tag tag; - reads stdin.")],
    store: StoreOption,
    provenance: Annotated[
        By,
        typer.Option(
            "--provenance", help="human if a person has looked through the results: then the tags count in full."
        ),
    ] = By.MODEL,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", min=0.0, max=1.0, help="Leave out tags below this confidence.")
    ] = 0.0,
    include_review: Annotated[
        bool, typer.Option("--include-review", help="Take tags decided 'review' too.")
    ] = False,
    contents: Annotated[
        list[str] | None,
        typer.Option(
            "--contents",
            metavar="FILE",
            help="The file that was tagged: gives the text of contents that neither store nor line has.",
        ),
    ] = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Write the tags decided 'accept' to the contents of a store, so that later recall learns from them.

    Contents that the store lacks are added with the text that stands in their line, or else that of --contents.
    Other tags of a content stay as they are. Tags of a model weigh less than a person's.

    [bold]Examples[/bold]

    \b
    llm4tag accept out.jsonl --store my.store
    llm4tag accept reviewed.jsonl --provenance human --store my.store
    """
    from llm4tag.knowledge_store.ingest.accepted_tags import AcceptPlan, accept_results
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.schema import Provenance

    plan = AcceptPlan(
        provenance=Provenance(provenance.value), min_confidence=min_confidence, include_review=include_review
    )

    async def run(progress: "Progress") -> "AcceptReport":
        async with await open_store(store) as opened:
            return await accept_results(
                opened, file, plan=plan, contents=contents or (), rejects=rejects, progress=progress
            )

    with progress_bar("accepting", unit="contents") as bar:
        report = run_async(run(bar))
    print_report(report)
    say(f"{report.assignments:,} tags written as {provenance.value}'s")
    if report.without_tags:
        say(f"{report.without_tags:,} results without an accepted tag (--include-review takes those to review)")
    if not report.flawless:
        raise typer.Exit(ExitCode.PARTIAL)
