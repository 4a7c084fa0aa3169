"""Make a report with what the store knows, and write it where it is wanted."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.evaluation import Evaluation
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.reporting.figures import THEMES, check_matplotlib, draw_figures
from llm4tag.reporting.quality_report import QualityReport, quality_report
from llm4tag.reporting.report_page import ROWS, Texts, page, shown_neighbours
from llm4tag.schema import Content, TagResult, UsageError
from llm4tag.tools.artifacts import load_calibrator


@dataclass(frozen=True)
class Outputs:
    """Where a report goes."""

    html: Path | None
    png: Path | None = None
    """Folder of the figures; made if it is not there."""
    json: Path | None = None
    rows: int = ROWS

    def check(self) -> None:
        """Refuse what cannot be written, before any work is done.

        Raises:
            UsageError: matplotlib is not installed, a folder is missing or stands where a file is to go.
        """
        check_matplotlib()
        for path in filter(None, (self.html, self.json)):
            if not path.absolute().parent.is_dir():
                raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
            if path.is_dir():
                raise UsageError(f"{path}: is a folder; name a file in it")
        if self.png is not None and self.png.exists() and not self.png.is_dir():
            raise UsageError(f"{self.png}: is a file; name a folder for the figures")


@dataclass(frozen=True)
class Judged:
    """Results with what they are judged by."""

    results: Sequence[TagResult]
    """At least one."""
    contents: Mapping[str, Content]
    """The labelled contents of all results, by id."""
    gold: Mapping[str, frozenset[str]]
    """Their gold tags, by content id."""
    evaluation: Evaluation
    notes: Sequence[str] = ()
    """What a reader should know."""


async def write_report(
    judged: Judged,
    store: KnowledgeStore,
    outputs: Outputs,
    sources: Sequence[Path],
    done: Callable[[int], None] | None = None,
) -> QualityReport:
    """Make the report and write it.

    Args:
        judged: results with their evaluation.
        store: what they were made with; evidence is told with its texts.
        outputs: where to.
        sources: files that it rests on, the labelled one, which gives the name, first; those that are no regular
            files are left out.
        done: told of each signal that has been measured.

    Raises:
        UsageError: a result without signals, or a file that cannot be written.
    """
    vocabulary = await store.vocabulary()
    kept = [await load_calibrator(store, with_llm) for with_llm in (True, False)]
    calibrators = [one for one in kept if one is not None]
    report = await asyncio.to_thread(_report, judged, vocabulary.assignable, calibrators, sources, done)
    neighbours = await store.get_contents(shown_neighbours(report, outputs.rows))
    texts = Texts({**{one.id: one for one in neighbours}, **judged.contents}, vocabulary)
    await asyncio.to_thread(_write, report, texts, outputs)
    return report


def _report(
    judged: Judged,
    assignable: frozenset[str],
    calibrators: Sequence[Calibrator],
    sources: Sequence[Path],
    done: Callable[[int], None] | None,
) -> QualityReport:
    try:
        return quality_report(
            judged.results,
            judged.gold,
            assignable,
            judged.evaluation,
            name=sources[0].name,
            calibrators=calibrators,
            files={path.name: _digest(path) for path in sources if path.is_file()},
            notes=judged.notes,
            done=done,
        )
    except ValueError as error:
        raise UsageError(f"{sources[-1]}: {error}; tag again") from error


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(report: QualityReport, texts: Texts, outputs: Outputs) -> None:
    try:
        figures = {name: draw_figures(report, theme) for name, theme in THEMES.items()}
        if outputs.html is not None:
            outputs.html.write_text(page(report, figures, texts, outputs.rows), encoding="utf-8")
        if outputs.json is not None:
            outputs.json.write_text(report.to_json() + "\n", encoding="utf-8")
        if outputs.png is not None:
            outputs.png.mkdir(parents=True, exist_ok=True)
            for name, png in figures["light"].items():
                (outputs.png / f"{name}.png").write_bytes(png)
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written ({error.strerror}); give another place") from error
