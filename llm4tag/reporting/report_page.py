"""The page of a quality report: one HTML file that needs no other.

Names, texts and ids come from anywhere, so everything on the page is escaped, its control characters are spelled
out, and the page forbids itself to load or run anything.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from llm4tag.evidence_words import beginning, confidence_of, evidence_lines, neighbour_ids
from llm4tag.reporting.charts import SIGNAL_LABELS, confidence_word
from llm4tag.reporting.quality_report import QualityReport
from llm4tag.reporting.report_words import alternative_texts, between, number, percent
from llm4tag.schema import Content, Vocabulary
from llm4tag.schema.text import visible

ROWS = 50
"""The number of wrong tags on the page, and of missed tags of each stage, unless the caller gives another."""

METRIC_MEANINGS: Mapping[str, str] = {
    "p@1": "how often the first tag is right",
    "f1@5": "F1 of the first five",
    "ndcg@10": "how far up right tags are among the first ten",
    "rp@5": "share of right tags among the first five, of the most possible",
    "rp@10": "share of right tags among the first ten, of the most possible",
    "recall@10": "share of the gold tags among the first ten",
    "recall@50": "share of the gold tags among the first fifty",
    "auroc": "how often a right tag has more confidence than a wrong one",
    "log_loss": "penalty for confidence in what is wrong; less is better",
    "brier": "mean squared error of the confidence; less is better",
    "ece": "gap between the confidence and how often tags are right; less is better",
}


@dataclass(frozen=True)
class TagRow:
    """A missed or wrong tag, as a row of a table."""

    tag: str
    id: str
    content: str
    text: str
    confidence: str
    place: str
    why: str
    evidence: Sequence[Sequence[str]]
    """The evidence, path by path: a sentence, then its particulars."""


@dataclass(frozen=True)
class TagTable:
    """A table of missed or wrong tags, with its first rows."""

    title: str
    rows: Sequence[TagRow]
    all: int
    """The number of tags, those without a row included."""


@dataclass(frozen=True)
class PageTexts:
    """The texts of contents and the names of tags, which a page needs in addition to the report."""

    contents: Mapping[str, Content]
    """The tagged contents, and those of their neighbours that the store still has, by id."""
    vocabulary: Vocabulary


def shown_neighbours(report: QualityReport, rows: int = ROWS) -> list[str]:
    """Return the ids of the contents that the evidence on the page names, to look up their texts."""
    tags = [one.found for one in report.wrong[:rows]]
    return neighbour_ids(tags)


def page(
    report: QualityReport, charts: Mapping[str, Mapping[str, bytes]], texts: PageTexts, rows: int = ROWS
) -> str:
    """Return the page.

    Args:
        report: the report.
        charts: the charts as PNG, by theme (``light``, ``dark``) and name.
        texts: the texts of contents and the names of tags.
        rows: the number of wrong tags on the page, and of missed tags of each stage.
    """
    return _template().render(
        report=report,
        evaluation=report.evaluation,
        charts={theme: {name: _uri(png) for name, png in drawn.items()} for theme, drawn in charts.items()},
        alternatives=alternative_texts(report),
        css=Markup(_resource("look.css") + _resource("page.css")),
        meanings=METRIC_MEANINGS,
        signals=[(SIGNAL_LABELS.get(one.name, one.name), one) for one in report.signals],
        word=confidence_word(report),
        target=float(target) if (target := report.evaluation.settings.get("max_error")) else None,
        wrong=_wrong(report, texts, rows),
        missed=_missed(report, texts, rows),
        passports=[(one, _flat(one.model_dump(mode="json", exclude={"metrics"}))) for one in report.passports],
        made_with=[(one.results, _flat(one.origin.model_dump(mode="json"))) for one in report.origins],
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = _finalized
    environment.globals |= {"number": number, "percent": _unbroken(percent), "between": _unbroken(between)}
    return environment.from_string(_resource("page.html.j2"))


def _unbroken(figure: Callable[..., str]) -> Callable[..., Markup]:
    """Return a function whose figure and unit stay on one line."""
    return lambda *args: Markup(figure(*args).replace(" ", "&nbsp;"))


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _resource(name: str) -> str:
    return (files("llm4tag.reporting") / name).read_text(encoding="utf-8")


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _wrong(report: QualityReport, texts: PageTexts, rows: int) -> TagTable:
    shown = [
        TagRow(
            tag=one.found.name,
            id=one.found.id,
            content=one.content,
            text=_text(one.content, texts),
            confidence=confidence_of(one.found),
            place=str(one.place),
            why="",
            evidence=evidence_lines(one.found, texts.contents, texts.vocabulary),
        )
        for one in report.wrong[:rows]
    ]
    return TagTable("Wrong tags that were accepted", shown, len(report.wrong))


def _missed(report: QualityReport, texts: PageTexts, rows: int) -> list[TagTable]:
    tables = []
    for stage, of_stage in groupby(report.missed, key=lambda one: one.stage):
        every = list(of_stage)
        shown = [
            TagRow(
                tag=tag.name if (tag := texts.vocabulary.get(one.tag)) else one.tag,
                id=one.tag,
                content=one.content,
                text=_text(one.content, texts),
                confidence=confidence_of(one.found) if one.found else "–",
                place="–" if one.place is None else str(one.place),
                why=one.why,
                evidence=(),
            )
            for one in every[:rows]
        ]
        tables.append(TagTable(stage.value, shown, len(every)))
    return tables


def _text(content: str, texts: PageTexts) -> str:
    found = texts.contents.get(content)
    return "" if found is None else beginning(found)


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows of name and text; empty values are left out."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        label = f"{before}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{label}: ")
        elif isinstance(value, str) and value:
            rows.append((label, value))
        elif value not in (None, "", [], {}):
            rows.append((label, ", ".join(map(str, value)) if isinstance(value, Sequence) else str(value)))
    return rows
