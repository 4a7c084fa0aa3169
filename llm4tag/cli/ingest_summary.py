"""Reports of ingest and accept, for a reader."""

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console

from llm4tag.cli.console import say

if TYPE_CHECKING:
    from llm4tag.knowledge_store.ingest.ingest_report import IngestReport
    from llm4tag.knowledge_store.ingest.notices import Notice

_SHOWN = 5


def print_report(report: "IngestReport") -> None:
    """Print the figures on stdout; notices and problems on stderr."""
    _say_notices(report.notices)
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


def _say_notices(notices: "tuple[Notice, ...]") -> None:
    by_kind: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        by_kind[notice.kind].append(notice)
    for same in by_kind.values():
        for notice in same[:_SHOWN]:
            say(f"note: {notice}")
        if len(same) > _SHOWN:
            say(f"note: … and {len(same) - _SHOWN:,} more like the last")
