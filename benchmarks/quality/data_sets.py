"""Data sets as folders: tags.jsonl, tag_groups.jsonl, history*.jsonl, dev.jsonl; and texts of other lengths."""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from llm4tag.evaluation.labelled_files import LabelledContent
from llm4tag.knowledge_store.word_tokens import tokens
from llm4tag.schema import Content


@dataclass(frozen=True)
class DataSet:
    """The files of a set; a set without a vocabulary takes that of a base set, whose history comes first."""

    name: str
    tags: Path
    groups: Path | None
    history: tuple[Path, ...]
    labelled: Path

    @classmethod
    def of(cls, folder: Path, base: Path | None, split: str) -> "DataSet":
        """Find the files of a set.

        Raises:
            typer.BadParameter: the vocabulary or the labelled contents are not there.
        """
        own = base if base is not None and not (folder / "tags.jsonl").exists() else folder
        for path, way in ((own / "tags.jsonl", "--base"), (folder / f"{split}.jsonl", "--split")):
            if not path.is_file():
                raise typer.BadParameter(f"{path}: there is no such file; name a set that has it, or see {way}")
        groups = own / "tag_groups.jsonl"
        history = [path for one in dict.fromkeys((own, folder)) for path in sorted(one.glob("history*.jsonl"))]
        return cls(
            folder.name,
            own / "tags.jsonl",
            groups if groups.exists() else None,
            tuple(history),
            folder / f"{split}.jsonl",
        )

    def hashes(self) -> dict[str, str]:
        """Return the first 16 digits of the sha256 of every file."""
        files = (self.tags, *((self.groups,) if self.groups else ()), *self.history, self.labelled)
        return {
            f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files
        }

    def contents(self) -> list[LabelledContent]:
        """Return the labelled contents that have gold tags."""
        return [
            LabelledContent(
                Content(id=row["id"], text=row["text"], title=row.get("title", "")), frozenset(row["tags"])
            )
            for row in rows_of(self.labelled)
            if row["tags"]
        ]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def withhold(
    data: DataSet, share: float, folder: Path, counts: Mapping[str, int]
) -> tuple[DataSet, frozenset[str]]:
    """Return the set with some tags, frequent and rare ones, taken from all of history, and these tags."""
    ordered = sorted(counts, key=lambda tag: (-counts[tag], tag))
    step = max(1, round(1 / share))
    gone = frozenset(ordered[step // 2 :: step])
    written = []
    for path in data.history:
        written.append(folder / f"withheld-{path.name}")
        with written[-1].open("w", encoding="utf-8") as file:
            for row in rows_of(path):
                row["tags"] = [tag for tag in row["tags"] if tag not in gone]
                if row["tags"]:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return replace(data, history=tuple(written)), gone


def sampled(data: DataSet, count: int, folder: Path) -> DataSet:
    """Return the set with ``count`` rows of history, drawn at random with a fixed seed; samples are nested."""
    lines = [line for path in data.history for line in path.read_text(encoding="utf-8").splitlines()]
    some = folder / f"history-{count}.jsonl"
    random.Random(0).shuffle(lines)
    some.write_text("".join(f"{line}\n" for line in lines[:count]), encoding="utf-8")
    return replace(data, history=(some,))


def shortened(one: LabelledContent) -> LabelledContent:
    """Return three words of a content that follow each other, chosen by its id."""
    words = one.content.text.split() if one.content.text.isascii() else tokens(one.content.text)
    start = random.Random(one.content.id).randrange(max(1, len(words) - 2))
    return replace(
        one, content=one.content.model_copy(update={"title": "", "text": " ".join(words[start : start + 3])})
    )


def lengthened(one: LabelledContent, words: int = 5000) -> LabelledContent:
    """Return a content whose sentences are repeated, each time in another order, until it has ``words`` words."""
    sentences = [part for part in one.content.full_text.replace("\n", ". ").split(". ") if part.strip()]
    order, parts, count = random.Random(one.content.id), [], 0
    while count < words:
        order.shuffle(sentences)
        parts.extend(sentences)
        count += max(1, sum(len(sentence.split()) for sentence in sentences))
    return replace(one, content=one.content.model_copy(update={"title": "", "text": ". ".join(parts)}))
