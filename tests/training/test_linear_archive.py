"""The linear scorer as bytes: it comes back as it was, and bytes that a stranger made harm nobody."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llm4tag.calibration.archive import packed, unpacked
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import StoreError
from llm4tag.tools.linear_archive import linear_from_bytes, linear_to_bytes
from llm4tag.tools.linear_model import LinearModel
from llm4tag.training.linear_fit import fit_linear
from llm4tag.training.tagged_history import History
from tests.fakes import priors
from tests.fakes.history import contents

FITTED = priors.FITTED.model_copy(update={"tagged_contents": 300, "documents": 300})
Head = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def model(history: History) -> LinearModel:
    return fit_linear(history, FITTED, rows=[]).model


async def test_bytes_and_back(store: KnowledgeStore, model: LinearModel) -> None:
    again = linear_from_bytes(linear_to_bytes(model))
    assert (again.fitted, again.tags, again.contents) == (FITTED, model.tags, model.contents)
    for content in contents(3, seed=2):
        vector = await store.embed_query(content.text)
        one, other = again.scores(content.text, vector), model.scores(content.text, vector)
        assert one.raw == pytest.approx(other.raw, abs=0.02)
        assert one.titled == pytest.approx(other.titled, abs=0.02)
        assert one.company == pytest.approx(other.company, abs=0.02)
        assert (one.wide is None) == (other.wide is None)
        if one.wide is not None:
            assert one.wide == pytest.approx(other.wide, abs=0.02)


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04", b"x" * 100])
def test_bytes_that_are_no_model_are_reported(broken: bytes) -> None:
    with pytest.raises(StoreError, match="fit recall on the store's history"):
        linear_from_bytes(broken)


def _column_outside(head: Head, arrays: Arrays) -> None:
    arrays["words_columns"][0] = 10_000_000


def _column_below_zero(head: Head, arrays: Arrays) -> None:
    arrays["labels_columns"][0] = -1


def _rows_out_of_order(head: Head, arrays: Arrays) -> None:
    arrays["words_starts"][1] = len(arrays["words_values"]) + 5


def _column_twice(head: Head, arrays: Arrays) -> None:
    row = int(np.flatnonzero(np.diff(arrays["words_starts"]) > 1)[0])
    start = arrays["words_starts"][row]
    arrays["words_columns"][start + 1] = arrays["words_columns"][start]


def _no_number(head: Head, arrays: Arrays) -> None:
    arrays["mixed_weights"][0, 0] = np.nan


def _landmark_outside(head: Head, arrays: Arrays) -> None:
    arrays["landmarks"][0] = 300


def _too_few_rows(head: Head, arrays: Arrays) -> None:
    arrays["mixed_to_features"] = arrays["mixed_to_features"][:-1]


def _more_tags_than_there_are(head: Head, arrays: Arrays) -> None:
    arrays["mixed_weights"] = np.concatenate([arrays["mixed_weights"]] * 2, axis=1)


def _a_content_twice(head: Head, arrays: Arrays) -> None:
    head["contents"][1] = head["contents"][0]


def _another_format(head: Head, arrays: Arrays) -> None:
    head["format"] = 2


@pytest.mark.parametrize(
    "spoil",
    [
        _column_outside,
        _column_below_zero,
        _rows_out_of_order,
        _column_twice,
        _no_number,
        _landmark_outside,
        _too_few_rows,
        _more_tags_than_there_are,
        _a_content_twice,
        _another_format,
    ],
)
def test_what_contradicts_itself_is_not_taken(model: LinearModel, spoil: Callable[[Head, Arrays], None]) -> None:
    head, arrays = unpacked(linear_to_bytes(model))
    arrays = {name: array.copy() for name, array in arrays.items()}
    spoil(head, arrays)
    with pytest.raises(StoreError, match="the store's linear scorer cannot be read"):
        linear_from_bytes(packed(head, arrays))


def test_an_archive_that_would_fill_the_memory_is_not_unpacked() -> None:
    bomb = packed({}, {"zeros": np.zeros(200_000_000, dtype=np.int8)})
    assert len(bomb) < 1_000_000
    with pytest.raises(StoreError, match="far more than its size"):
        linear_from_bytes(bomb)


def test_an_array_that_claims_a_larger_shape_is_not_made() -> None:
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        array, {"descr": "<f4", "fortran_order": False, "shape": (1_000_000_000_000,)}
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("head.npy", array.getvalue())
    with pytest.raises(StoreError, match="not as large as it says"):
        linear_from_bytes(data.getvalue())
