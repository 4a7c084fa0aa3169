"""Annif on the same split, in a virtual environment of its own.

    python -m venv ANNIF && ANNIF/bin/pip install 'annif[omikuji]==1.4.3'

The projects are those that did best on debtags: Omikuji Bonsai over stemmed words and pairs, MLLM, both 4 to 1.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from benchmarks.quality.data_sets import DataSet, rows_of
from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.schema import CalibrationNote, Decision, Origin, TagDecision, TagResult

_BASE = "http://example.org/"
_MLLM_DOCUMENTS = 1500
_PROJECTS = """
[bonsai]
name=bonsai
language=en
vocab=set
limit=100
backend=omikuji
analyzer={analyzer}
min_df=2
ngram={ngram}
cluster_balanced=False
cluster_k=100
max_depth=3
[mllm]
name=mllm
language=en
vocab=set
limit=100
backend=mllm
analyzer={analyzer}
[both]
name=both
language=en
vocab=set
limit=100
backend=ensemble
sources=bonsai:0.8,mllm:0.2
"""


def annif_results(
    program: Path, data: DataSet, contents: Sequence[LabelledContent], folder: Path
) -> list[TagResult]:
    """Train Annif on the history and let it suggest tags.

    Args:
        program: ``ANNIF/bin/annif``.
        data: the set; its history must not be empty.
        contents: what to tag.
        folder: an empty one to work in.
    """
    spaced = not all(one.content.text.isascii() for one in contents[:20]) and _mostly_unspaced(contents)
    _write_inputs(data, contents, folder, spaced=spaced)
    analyzer, ngram = ("simple(token_min_length=1)", 3) if spaced else ("snowball(english)", 2)
    (folder / "projects.cfg").write_text(_PROJECTS.format(analyzer=analyzer, ngram=ngram), encoding="utf-8")
    _offline_tokeniser(folder)

    def annif(*args: str) -> None:
        environment = {**os.environ, "NLTK_DATA": str(folder / "nltk_data")}
        subprocess.run([program, *args], cwd=folder, env=environment, check=True, capture_output=True)

    annif("load-vocab", "-L", "en", "set", "vocabulary.tsv")
    annif("train", "bonsai", "history.tsv")
    annif("train", "mllm", "some.tsv")
    annif("index", "--limit", "100", "both", "texts")
    return [_result(one, folder / "texts" / f"{number}.annif") for number, one in enumerate(contents)]


def _mostly_unspaced(contents: Sequence[LabelledContent]) -> bool:
    text = "".join(one.content.text for one in contents[:20])
    return text.count(" ") < len(text) / 20


def _uri(tag: str) -> str:
    return f"<{_BASE}{quote(tag, safe='')}>"


def _text(text: str, *, spaced: bool) -> str:
    """Put a text on one line; with a space between all characters where the language has none between words."""
    return " ".join("".join(text.split()) if spaced else text.split())


def _write_inputs(data: DataSet, contents: Sequence[LabelledContent], folder: Path, *, spaced: bool) -> None:
    vocabulary = "".join(f"{_uri(str(row['id']))}\t{row['name']}\n" for row in rows_of(data.tags))
    (folder / "vocabulary.tsv").write_text(vocabulary, encoding="utf-8")
    lines = [
        f"{_text(str(row['text']), spaced=spaced)}\t{' '.join(_uri(str(tag)) for tag in _tags(row))}\n"
        for path in data.history
        for row in rows_of(path)
    ]
    (folder / "history.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "some.tsv").write_text("".join(lines[-_MLLM_DOCUMENTS:]), encoding="utf-8")
    (folder / "texts").mkdir()
    for number, one in enumerate(contents):
        (folder / "texts" / f"{number}.txt").write_text(
            _text(one.content.full_text, spaced=spaced), encoding="utf-8"
        )


def _tags(row: dict[str, object]) -> Sequence[object]:
    tags = row["tags"]
    return tags if isinstance(tags, list) else ()


def _offline_tokeniser(folder: Path) -> None:
    """Put an empty sentence tokeniser where Annif would download one; these analyzers need no sentences."""
    tokeniser = folder / "nltk_data" / "tokenizers" / "punkt_tab" / "english"
    tokeniser.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (tokeniser / name).touch()


def _result(one: LabelledContent, suggestions: Path) -> TagResult:
    tags = []
    for line in suggestions.read_text(encoding="utf-8").splitlines():
        uri, name, score = line.split("\t")
        tags.append(
            TagDecision(
                id=unquote(uri.strip("<>").removeprefix(_BASE)),
                name=name,
                confidence=min(1.0, float(score)),
                decision=Decision.REVIEW,
                calibration=CalibrationNote(),
                evidence=(),
            )
        )
    tags.sort(key=lambda tag: -tag.confidence)
    return TagResult(
        id=one.content.id, tags=tuple(tags), origin=Origin(vocabulary="", embedding="none", model="annif")
    )


def annif_version(program: Path) -> str:
    """Return Annif's version."""
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
