"""Files of a quality report: it is made with the texts of the store and written as page, figures and JSON."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.evaluation import Evaluation
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.reporting.charts import THEMES, check_matplotlib, draw_charts
from llm4tag.reporting.quality_report import QualityReport, quality_report
from llm4tag.reporting.report_page import ROWS, PageTexts, page, shown_neighbours
from llm4tag.schema import Content, TagResult, UsageError
from llm4tag.schema.drafts import draft_of
from llm4tag.tools.artifacts import CalibratorKind, load_calibrator


@dataclass(frozen=True)
class ReportOutputs:
    """The files that a report is written to, and the length of its tables."""

    html: Path | None
    """The page."""
    png: Path | None = None
    """The folder of the charts; it is made if it is not there."""
    json: Path | None = None
    """The file of all figures as JSON."""
    rows: int = ROWS
    """Wrong tags on the page, and missed tags of each stage."""

    def check(self) -> None:
        """Make sure that the files can be written, before any work is done.

        Raises:
            UsageError: matplotlib is not installed, a folder is missing, or a path is a folder and not a file.
        """
        check_matplotlib()
        for path in filter(None, (self.html, self.json)):
            if not path.absolute().parent.is_dir():
                raise UsageError(f"there is no folder {path.parent}", where=path, remedy="make it first")
            if path.is_dir():
                raise UsageError("is a folder", where=path, remedy="name a file in it")
        if self.png is not None and self.png.exists() and not self.png.is_dir():
            raise UsageError("is a file", where=self.png, remedy="name a folder for the charts")


@dataclass(frozen=True)
class EvaluatedResults:
    """Results with their gold tags and their evaluation."""

    results: Sequence[TagResult]
    """The results; at least one."""
    contents: Mapping[str, Content]
    """The labelled contents of all results, by id."""
    gold: Mapping[str, frozenset[str]]
    """The gold tags of all results, by content id."""
    evaluation: Evaluation
    notes: Sequence[str] = ()
    """What a reader should know."""


async def write_report(
    evaluated: EvaluatedResults,
    store: KnowledgeStore,
    outputs: ReportOutputs,
    sources: Sequence[Path],
    done: Callable[[int], None] | None = None,
) -> QualityReport:
    """Make a report and write it.

    Args:
        evaluated: the results with their evaluation.
        store: the store that the results were made with; it has the texts that evidence refers to.
        outputs: the files to write.
        sources: the files that the report is made from, first the labelled one, which gives the report its name;
            those that are not regular files are left out.
        done: called with 1 after each signal that is measured.

    Raises:
        UsageError: a result has no signals, or a file cannot be written.
    """
    vocabulary = await store.vocabulary()
    loaded = [await load_calibrator(store, kind) for kind in CalibratorKind]
    calibrators = [one for one in loaded if one is not None]
    report = await asyncio.to_thread(_report, evaluated, vocabulary.assignable, calibrators, sources, done)
    neighbours = await store.get_contents(shown_neighbours(report, outputs.rows))
    texts = PageTexts({**{one.id: one for one in neighbours}, **evaluated.contents}, vocabulary)
    await asyncio.to_thread(_write, report, texts, outputs)
    return report


def _report(
    evaluated: EvaluatedResults,
    assignable: frozenset[str],
    calibrators: Sequence[Calibrator],
    sources: Sequence[Path],
    done: Callable[[int], None] | None,
) -> QualityReport:
    try:
        return quality_report(
            evaluated.results,
            evaluated.gold,
            assignable,
            evaluated.evaluation,
            name=sources[0].name,
            calibrators=calibrators,
            files={path.name: _digest(path) for path in sources if path.is_file()},
            notes=evaluated.notes,
            done=done,
        )
    except ValueError as error:
        raise UsageError(str(error), where=sources[-1], remedy="{tag_contents}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(report: QualityReport, texts: PageTexts, outputs: ReportOutputs) -> None:
    charts = {name: draw_charts(report, theme) for name, theme in THEMES.items()}
    if outputs.html is not None:
        _write_file(outputs.html, page(report, charts, texts, outputs.rows).encode())
    if outputs.json is not None:
        _write_file(outputs.json, f"{report.to_json()}\n".encode())
    if outputs.png is not None:
        with _writing(outputs.png):
            outputs.png.mkdir(parents=True, exist_ok=True)
        for name, png in charts["light"].items():
            _write_file(outputs.png / f"{name}.png", png)


def _write_file(path: Path, data: bytes) -> None:
    target = path.resolve()
    with _writing(path):
        if target.exists() and not target.is_file():
            # A device or a pipe is written to; a draft would take its place.
            target.write_bytes(data)
        else:
            with draft_of(target) as draft:
                draft.write_bytes(data)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raise UsageError for a path that cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot be written ({error.strerror})", where=path, remedy="give another place"
        ) from error
