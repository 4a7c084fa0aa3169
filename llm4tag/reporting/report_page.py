"""A quality report as one HTML page that needs nothing beside it.

Names, texts and ids come from anywhere: everything that goes into the page is escaped, its control characters
spelled out, and the page forbids itself to load or run anything.
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

from llm4tag.evidence_words import all_said, beginning, confidence_of, neighbour_ids
from llm4tag.reporting.figures import SIGNALS, confidence_word
from llm4tag.reporting.quality_report import QualityReport
from llm4tag.reporting.report_words import alternative_texts, between, number, percent
from llm4tag.schema import Content, Vocabulary
from llm4tag.schema.text import visible

ROWS = 50
"""Wrong tags shown, and missed tags of each stage, unless the caller says how many."""

METRICS: Mapping[str, str] = {
    "p@1": "how often the first tag is right",
    "f1@5": "F1 of the first five",
    "ndcg@10": "how far up right tags stand among the first ten",
    "rp@5": "right among the first five, of as many as could be",
    "rp@10": "right among the first ten, of as many as could be",
    "recall@10": "share of the gold tags among the first ten",
    "recall@50": "share of the gold tags among the first fifty",
    "auroc": "how often a right tag has more confidence than a wrong one",
    "log_loss": "penalty for confidence in what is wrong; less is better",
    "brier": "mean squared error of the confidence; less is better",
    "ece": "how far the confidence is from how often tags are right; less is better",
}


@dataclass(frozen=True)
class Row:
    """A missed or wrong tag as a table shows it."""

    tag: str
    id: str
    content: str
    text: str
    confidence: str
    place: str
    why: str
    evidence: Sequence[Sequence[str]]
    """Path by path: a line that says it, then particulars."""


@dataclass(frozen=True)
class Shown:
    """The first rows of a table."""

    title: str
    rows: Sequence[Row]
    all: int


@dataclass(frozen=True)
class Texts:
    """What a page needs beside the report: the texts of contents, by id, and the names of tags."""

    contents: Mapping[str, Content]
    """Those that were tagged; and, of their neighbours, those that the store still has."""
    vocabulary: Vocabulary


def shown_neighbours(report: QualityReport, rows: int = ROWS) -> list[str]:
    """Return the ids of the contents that the evidence of the shown tags names, to look up their texts."""
    tags = [one.found for one in report.wrong[:rows]]
    return neighbour_ids(tags)


def page(report: QualityReport, figures: Mapping[str, Mapping[str, bytes]], texts: Texts, rows: int = ROWS) -> str:
    """Return the page.

    Args:
        report: what it says.
        figures: PNG by theme (``light``, ``dark``) and name.
        texts: of contents and tags.
        rows: wrong tags shown, and missed tags of each stage.
    """
    return _template().render(
        report=report,
        evaluation=report.evaluation,
        figures={theme: {name: _uri(png) for name, png in drawn.items()} for theme, drawn in figures.items()},
        alternatives=alternative_texts(report),
        css=Markup(_resource("look.css") + _resource("page.css")),
        meanings=METRICS,
        signals=[(SIGNALS.get(one.name, one.name), one) for one in report.signals],
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
    """Keep a figure and its unit on one line."""
    return lambda *args: Markup(figure(*args).replace(" ", "&nbsp;"))


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _resource(name: str) -> str:
    return (files("llm4tag.reporting") / name).read_text(encoding="utf-8")


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _wrong(report: QualityReport, texts: Texts, rows: int) -> Shown:
    shown = [
        Row(
            tag=one.found.name,
            id=one.found.id,
            content=one.content,
            text=_text(one.content, texts),
            confidence=confidence_of(one.found),
            place=str(one.place),
            why="",
            evidence=all_said(one.found, texts.contents, texts.vocabulary),
        )
        for one in report.wrong[:rows]
    ]
    return Shown("Wrong tags that were accepted", shown, len(report.wrong))


def _missed(report: QualityReport, texts: Texts, rows: int) -> list[Shown]:
    tables = []
    for stage, of_stage in groupby(report.missed, key=lambda one: one.stage):
        every = list(of_stage)
        shown = [
            Row(
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
        tables.append(Shown(stage.value, shown, len(every)))
    return tables


def _text(content: str, texts: Texts) -> str:
    found = texts.contents.get(content)
    return "" if found is None else beginning(found)


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows of name and text; what is empty is left out."""
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
