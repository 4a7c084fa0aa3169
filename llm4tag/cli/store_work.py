"""What several commands do with a store: open or make it, fit recall on it, print what was written to it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from rich.console import Console

from llm4tag.cli.console import progress_bar, run_async, say
from llm4tag.schema.candidate import Path as RecallPath

if TYPE_CHECKING:
    from llm4tag.knowledge_store.ingest.ingest_report import IngestReport
    from llm4tag.knowledge_store.ingest.notices import Notice
    from llm4tag.knowledge_store.protocol import KnowledgeStore

_SHOWN = 5


async def open_or_make(
    location: str, embedding: str | None, *, check: Callable[[], None] | None = None, migrate: bool = False
) -> "KnowledgeStore":
    """Open a store, or make one. A new store fixes its embedding, so everything is checked before it is made.

    Args:
        location: of the store.
        embedding: what the store is filled with, or is to be filled with.
        check: checks the input, before anything is opened.
        migrate: bring a store of an older version up to date.

    Raises:
        UsageError: what ``check`` raises.
        ModelError: the embedding model of a new store cannot be used.
        StoreError: the store failed.
    """
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.models.embedder_registry import check_embedding
    from llm4tag.schema import DEFAULT_EMBEDDING, StoreNotFoundError

    if check is not None:
        await asyncio.to_thread(check)
    try:
        return await open_store(location, embedding=embedding, migrate=migrate)
    except StoreNotFoundError:
        await check_embedding(embedding or DEFAULT_EMBEDDING)
        return await open_store(location, embedding=embedding, create=True)


def fit_after_ingest(location: str, *, always: bool) -> None:
    """Fit recall where a fit is due, or always, and print the outcome."""
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.training.recall_fit import fit_is_due

    async def due() -> bool:
        async with await open_store(location) as store:
            return await fit_is_due(store)

    if always or run_async(due()):
        fit_store(location)


def fit_store(location: str, *, fewest_tags: int = 1, without: Collection[RecallPath] = (), seed: int = 0) -> None:
    """Fit recall and a calibrator on a store's history, and print how much they were fitted on."""
    from llm4tag.calibration.calibrator import Calibrator
    from llm4tag.history_calibration import FEWEST_CONTENTS, fit_history
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.training.recall_fit import FEWEST_CONTENTS as FEWEST_FITTED
    from llm4tag.training.recall_fit import FitReport

    async def run() -> tuple[FitReport, Calibrator | None]:
        async with await open_store(location) as store:
            return await fit_history(store, progress_bar, without=without, fewest_tags=fewest_tags, seed=seed)

    report, calibrator = run_async(run())
    if not report.linear_documents:
        say(f"nothing fitted: {report.tagged_contents:,} tagged contents, at least {FEWEST_FITTED} are needed")
        return
    say(f"linear scorer fitted on {report.linear_documents:,} contents, {report.linear_tags:,} tags")
    if report.fusion_documents:
        rich = f" with {report.fewest_tags} tags or more" if report.fewest_tags > 1 else ""
        say(f"prior of recall moved by {report.fusion_documents:,} contents{rich}")
    else:
        say("prior of recall left as it is: on contents that had no part in the fit, moving it gained nothing")
    if calibrator is not None:
        say(f"confidences calibrated on {calibrator.passport.documents:,} contents, each as if it were new")
    elif report.tagged_contents < FEWEST_CONTENTS:
        say(f"confidences are estimated: {FEWEST_CONTENTS} tagged contents would calibrate them")


def print_report(report: "IngestReport") -> None:
    """Print the figures of a report on stdout, its notices and problems on stderr."""
    _print_notices(report.notices)
    for problem in report.problems[:_SHOWN]:
        say(f"{'incomplete' if problem.partial else 'set aside'}: {problem}", "yellow")
    hidden = report.set_aside + report.incomplete - min(len(report.problems), _SHOWN)
    if hidden > 0:
        say(f"… and {hidden:,} more", "yellow")
    if report.rejects:
        say(f"all of them are in {', '.join(report.rejects)}", "yellow")
    Console(soft_wrap=True, highlight=False, markup=False).print(_figures(report))


def _figures(report: "IngestReport") -> str:
    written = report.written
    parts = [
        f"{report.kind}: {report.read:,} read",
        f"{written.added:,} added",
        f"{written.changed:,} changed",
        f"{written.unchanged:,} unchanged",
    ]
    for count, what in (
        (report.retired, "retired"),
        (report.removed, "removed"),
        (report.unchanged_files, "files skipped as unchanged"),
        (report.incomplete, "incomplete"),
        (report.set_aside, "set aside"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    return f"{', '.join(parts)} ({report.seconds:.1f} s)"


def _print_notices(notices: "tuple[Notice, ...]") -> None:
    by_kind: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    for same in by_kind.values():
        for notice in same[:_SHOWN]:
            say(f"note: {notice}")
        if len(same) > _SHOWN:
            say(f"note: … and {len(same) - _SHOWN:,} more like the last")
