"""``llm4tag report``: the page parsed, its figures decoded, its inputs matched."""

import base64
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llm4tag.calibration.calibrator import Calibrator, Combination, Map, Scale
from llm4tag.calibration.guarantee import Trials
from llm4tag.calibration.passport import Figure, Passport
from llm4tag.tools.artifacts import CalibratorKind, save_calibrator
from tests.fakes.command_line import ask, llm4tag
from tests.fakes.jsonl_files import jsonl, written

FIGURES = {"reliability", "risk-coverage", "signals", "frequency", "gold"}
EVIL = "<script>alert('x')</script>"
LABELLED = (
    {"id": "1", "text": f"a web browser {EVIL}", "tags": ["web"]},
    {"id": '2"><b>', "text": "mail on the web", "tags": ["Mail"]},
    {"id": "3", "text": "a mail reader", "tags": ["mail", f"no {EVIL} tag"]},
    {"id": "4", "text": "web mail for the web\u202e", "tags": ["mail"]},
)
VOID = {"meta", "img", "br", "source"}


class Page(HTMLParser):
    """What a page holds; it fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words += data

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag == name)


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    return jsonl(tmp_path / "dev.jsonl", *LABELLED)


@pytest.fixture
def results(full: Path, labelled: str, tmp_path: Path) -> Path:
    """Results with everything accepted that was found, so that there are wrong tags."""
    target = tmp_path / "results.jsonl"
    done = llm4tag("evaluate", labelled, "--store", full, "--no-llm", "-o", target, "--accept-at", 0.05)
    assert done.exit_code == 0, done.output
    return target


def test_page_is_whole_needs_nothing_and_escapes_what_comes_from_contents(
    results: Path, labelled: str, tmp_path: Path
) -> None:
    out, figures, data = tmp_path / "out.html", tmp_path / "png", tmp_path / "out.json"
    done = llm4tag("report", results, "--labels", labelled, "--out", out, "--png", figures, "--json", data)
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.elements}
    assert EVIL in page.words
    assert '2"><b>' in page.words
    assert "\u202e" not in text
    sources = [one["src"] or "" for one in page.all("img")] + [one["srcset"] or "" for one in page.all("source")]
    assert len(sources) == 2 * len(FIGURES)
    for source in sources:
        Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,")))).verify()
    assert all((one["href"] or "").startswith("#") for one in page.all("a"))
    assert {one["href"] for one in page.all("a")} <= {f"#{one['id']}" for _, one in page.elements if "id" in one}
    assert "http" not in text.replace("http-equiv", "")
    assert all(len(one["alt"] or "") > 40 for one in page.all("img"))
    assert {path.stem for path in figures.iterdir()} == FIGURES
    for path in figures.iterdir():
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.width > 800


def test_page_marks_each_confidence_as_estimated(results: Path, labelled: str, tmp_path: Path) -> None:
    out, data = tmp_path / "out.html", tmp_path / "out.json"
    assert llm4tag("report", results, "--labels", labelled, "--out", out, "--json", data).exit_code == 0
    page, found = Page(out.read_text(encoding="utf-8")), json.loads(data.read_text())
    assert "Estimated." in page.words
    assert "by decision (estimated)" in page.words
    assert found["wrong"]
    confidences = {f"confidence {one['found']['confidence']:.2f} estimated" for one in found["wrong"]}
    assert all(one in page.words for one in confidences)
    # Every wrong tag keeps its evidence, every missed one has its stage.
    assert all(one["found"]["evidence"] for one in found["wrong"])
    assert {one["tag"]: one["stage"] for one in found["missed"]} == {f"no {EVIL} tag": "outside the vocabulary"}
    assert "similar contents carry it" in page.words
    assert set(found["files"]) == {"dev.jsonl", "results.jsonl"}


def calibrator() -> Calibrator:
    """Make one that takes recall as it is; no document had a part in it."""
    passport = Passport(
        time=datetime(2026, 1, 2, tzinfo=UTC), conditions={"model": "none <i>"}, tagged_contents=3, depth=50,
        signals=("recall",), method="by hand", documents=77, pairs=4, right=1, level=0.9,
        metrics={"ece": Figure(value=0.123, low=0.1, high=0.2), "auroc": Figure(value=None)},
    )  # fmt: skip
    scale = Scale(Combination(("recall",), np.array([1.0, 0.0])), Map("none", np.zeros(0)), {})
    return Calibrator(passport, scale, Trials(np.full(300, 0.6), np.ones(300, dtype=bool), np.arange(300), 300))


def test_calibrated_results_show_their_confidences_and_the_passport(
    results: Path, full: Path, labelled: str, tmp_path: Path
) -> None:
    made = calibrator()
    ask(full, lambda store: save_calibrator(store, CalibratorKind.LABELS, made))
    rows = written(results)
    for row in rows:
        for tag in row["tags"]:
            tag["calibration"] = {"status": "calibrated", "reason": "", "calibrator": made.passport.id}
    results.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out, data = tmp_path / "out.html", tmp_path / "out.json"
    assert llm4tag("report", results, "--labels", labelled, "--out", out, "--json", data).exit_code == 0
    # Its trials are 300 documents of one right tag each at .6: 2 % is supported from there on.
    gold = {row["id"]: {tag.lower() for tag in row["tags"]} for row in LABELLED}
    over = [tag["id"] in gold[row["id"]] for row in rows for tag in row["tags"] if tag["confidence"] >= 0.6]
    guarantees = json.loads(data.read_text())["guarantees"]
    assert [one["threshold"] for one in guarantees] == [0.6] * 3
    assert [guarantees[0]["realised"][name] for name in ("accepted", "wrong")] == [
        len(over),
        len(over) - sum(over),
    ]
    words = Page(out.read_text(encoding="utf-8")).words
    assert "estimated" not in words.lower()
    wrong = next(tag for row in rows if row["id"] == "4" for tag in row["tags"] if tag["id"] == "web")
    assert f"confidence {wrong['confidence']:.2f} calibrated" in words
    assert f"The calibrator of {made.passport.id}" in words
    for said in ("by the calibrator at 5\xa0%", "fitted on 77 labelled documents", "0.123", "none <i>"):
        assert said in words


def test_evaluate_writes_the_same_page(results: Path, full: Path, labelled: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one.html", tmp_path / "other.html"
    args = ("--store", full, "--no-llm", "-o", results, "--accept-at", 0.05, "--report", one)
    assert llm4tag("evaluate", labelled, *args).exit_code == 0
    assert llm4tag("report", results, "--labels", labelled, "--out", other).exit_code == 0
    pages = [path.read_text(encoding="utf-8").splitlines() for path in (one, other)]
    differing = [line for line, again in zip(*pages, strict=True) if line != again]
    assert all("UTC" in line for line in differing)


def test_what_does_not_match_is_said(results: Path, full: Path, tmp_path: Path) -> None:
    changed = {**LABELLED[0], "text": "another text"}
    labels = jsonl(tmp_path / "other.jsonl", changed, {"id": "9", "text": "new", "tags": ["web"]}, {"id": "5"})
    out = tmp_path / "out.html"
    done = llm4tag("report", results, "--labels", labels, "--out", out)
    assert done.exit_code == 3
    words = Page(out.read_text(encoding="utf-8")).words
    for note in (
        "1 labelled documents have no result",
        "3 results have no labels",
        "1 results are of another text",
    ):
        assert note in done.stderr
        assert note in words
    strangers = jsonl(tmp_path / "strangers.jsonl", {"id": "9", "text": "new", "tags": ["web"]})
    assert "none of its 4 results has labels" in llm4tag("report", results, "--labels", strangers).stderr


def test_a_run_within_a_part_is_judged_by_the_labels_of_that_part(
    full: Path, labelled: str, tmp_path: Path
) -> None:
    target, data = tmp_path / "part.jsonl", tmp_path / "part.json"
    run = ("--no-llm", "-o", target, "--within", "net")
    assert llm4tag("evaluate", labelled, "--store", full, *run).exit_code == 0
    written_to = ("--out", tmp_path / "out.html", "--json", data)
    assert llm4tag("report", target, "--labels", labelled, *written_to).exit_code == 0
    found = json.loads(data.read_text())["evaluation"]
    assert (found["documents"], found["losses"]["gold"], found["outside_within"]) == (3, 3, 2)


def test_store_is_the_one_of_the_run_unless_another_is_given(results: Path, labelled: str, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl.settings.json").unlink()
    args = ("report", results, "--labels", labelled, "--out", tmp_path / "out.html")
    done = llm4tag(*args)
    assert done.exit_code == 2
    assert "give --store" in done.stderr
    assert llm4tag(*args, "--store", tmp_path / "my.store").exit_code == 0


def test_without_matplotlib_it_says_how_to_install_it(
    results: Path, labelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "out.html"
    done = llm4tag("report", results, "--labels", labelled, "--out", out)
    assert done.exit_code == 2
    assert "pip install 'llm4tag[report]'" in done.stderr
    assert not out.exists()


def test_inputs_are_never_written_over(results: Path, labelled: str) -> None:
    before = results.read_bytes()
    for option, path in (("--out", results), ("--json", labelled)):
        done = llm4tag("report", results, "--labels", labelled, option, path)
        assert done.exit_code == 2
        assert "is an input" in done.stderr
    assert results.read_bytes() == before
