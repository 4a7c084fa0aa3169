"""``llm4tag accept``: write the accepted tags of results back to the store."""

from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say
from llm4tag.cli.options import RejectsOption, StoreOption
from llm4tag.cli.store_work import print_report
from llm4tag.schema import Provenance

if TYPE_CHECKING:
    from llm4tag.knowledge_store.ingest.accepted_tags import AcceptReport
    from llm4tag.models.embedder import Progress


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(accept)


def accept(
    file: Annotated[str, typer.Argument(metavar="OUT.jsonl", help="Results of llm4tag tag; - reads stdin.")],
    store: StoreOption,
    provenance: Annotated[
        Provenance,
        typer.Option(
            "--provenance", help="human if a person has reviewed the results: their tags then count in full."
        ),
    ] = Provenance.MODEL,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", min=0.0, max=1.0, help="Leave out tags below this confidence.")
    ] = 0.0,
    include_review: Annotated[
        bool, typer.Option("--include-review", help="Accept tags with the decision 'review' as well.")
    ] = False,
    contents: Annotated[
        list[str] | None,
        typer.Option(
            "--contents",
            metavar="FILE",
            help="The file that was tagged: it has the texts that neither store nor results have. May be given "
            "several times.",
        ),
    ] = None,
    rejects: RejectsOption = None,
) -> None:
    r"""Write the tags with the decision 'accept' to the history of a store, so that recall learns from them.

    Contents that the store lacks are added with the text of their result, or else of --contents. Other tags of a
    content stay as they are. Tags of a model weigh less than those of a person.

    [bold]Examples[/bold]

    \b
    llm4tag accept out.jsonl --store my.store
    llm4tag accept reviewed.jsonl --provenance human --store my.store
    """
    from llm4tag.knowledge_store.ingest.accepted_tags import AcceptPlan, accept_results
    from llm4tag.knowledge_store.stores import open_store

    plan = AcceptPlan(provenance=provenance, min_confidence=min_confidence, include_review=include_review)

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
        say(f"{report.without_tags:,} results have no accepted tag (--include-review accepts more)")
    if not report.flawless:
        raise typer.Exit(ExitCode.PARTIAL)
