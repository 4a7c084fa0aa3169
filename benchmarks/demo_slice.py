"""Cut the slice of debtags that ``llm4tag demo`` ships: ``python benchmarks/demo_slice.py DATA_FOLDER``.

DATA_FOLDER holds ``tags.jsonl``, ``tag_groups.jsonl``, ``history.jsonl`` and ``knowledge.jsonl`` of debtags. The
rule, so that anybody cuts the same slice:

- documents of history with 3 tags or more (labelled ones: 4) and 120 to 600 characters are eligible;
- ``labelled.jsonl``: the first 40 eligible by sha256 of ``labelled:<id>``, of which no two are near-duplicates;
- ``history.jsonl``: the first 500 by sha256 of ``history:<id>`` that are near-duplicates of no labelled one;
- ``knowledge.jsonl``: the first 150 passages of at most 500 characters by sha256 of ``knowledge:<id>``;
- near-duplicates: cosine above 0.5 over tf-idf of word 1-grams and 2-grams;
- the vocabulary and its groups are whole.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

Row = dict[str, Any]

SLICE = Path(__file__).parents[1] / "llm4tag" / "demo_data"
LABELLED = 40
HISTORY = 500
KNOWLEDGE = 150
NEAR_DUPLICATE = 0.5


def read(path: Path) -> list[Row]:
    """Return the rows of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSONL, sorted by id."""
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ordered), encoding="utf-8")


def shuffled(rows: Sequence[Row], salt: str) -> list[Row]:
    """Return rows in the order of sha256 of ``salt:<id>``."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{salt}:{row['id']}".encode()).hexdigest())


def cut(history: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the labelled documents and the slice of history."""
    eligible = [row for row in history if len(row["tags"]) >= 3 and 120 <= len(row["text"]) <= 600]
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(row["text"] for row in eligible)
    place = {row["id"]: number for number, row in enumerate(eligible)}
    similar = (vectors @ vectors.T).toarray()

    def near(row: Row, others: Sequence[Row]) -> bool:
        places = [place[other["id"]] for other in others]
        return bool(places) and bool(np.max(similar[place[row["id"]], places]) > NEAR_DUPLICATE)

    labelled: list[Row] = []
    for row in shuffled([row for row in eligible if len(row["tags"]) >= 4], "labelled"):
        if len(labelled) < LABELLED and not near(row, labelled):
            labelled.append(row)
    taken = {row["id"] for row in labelled}
    rest = (row for row in shuffled(eligible, "history") if row["id"] not in taken and not near(row, labelled))
    return labelled, list(islice(rest, HISTORY))


def main() -> None:
    """Write the slice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the debtags files")
    parser.add_argument("--to", type=Path, default=SLICE, help="folder to write to; default: the package's")
    arguments = parser.parse_args()
    data: Path = arguments.data
    target: Path = arguments.to
    target.mkdir(parents=True, exist_ok=True)
    for name in ("tags.jsonl", "tag_groups.jsonl"):
        shutil.copyfile(data / name, target / name)
    labelled, history = cut(read(data / "history.jsonl"))
    write(target / "labelled.jsonl", labelled)
    write(target / "history.jsonl", history)
    short = [row for row in read(data / "knowledge.jsonl") if len(row["text"]) <= 500]
    write(target / "knowledge.jsonl", shuffled(short, "knowledge")[:KNOWLEDGE])


if __name__ == "__main__":
    main()
