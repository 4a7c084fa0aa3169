"""What both backends compute in the same way: means, lengths of vectors, times, the embedder of a store."""

from datetime import UTC, datetime

import numpy as np
import pytest

from llm4tag.knowledge_store.centring import RunningMean
from llm4tag.knowledge_store.items import common_length, microseconds, time_of
from llm4tag.knowledge_store.store_embedding import RequestedEmbedding
from llm4tag.models.embedder import Vector
from llm4tag.schema import EmbeddingMismatchError, StoreError
from llm4tag.schema.errors import Step
from tests.fakes.embedder import fake_embedder


def vector(*numbers: float) -> Vector:
    return np.array(numbers, dtype=np.float32)


def test_a_running_mean_is_the_mean_of_all_in_double_precision() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    mean = RunningMean()
    values = []
    for row in rows:
        values.append(mean.value)
        mean.add(row)
    assert mean.count == 300
    assert [value is None for value in values[:3]] == [True, True, False]
    assert mean.value is not None
    np.testing.assert_array_equal(mean.value, rows.mean(axis=0, dtype=np.float64).astype(np.float32))


def test_all_vectors_of_a_store_have_one_length() -> None:
    assert common_length({}, 0) == 0
    assert common_length({"a": None}, 3) == 3
    assert common_length({"a": None, "b": vector(1.0, 2.0), "c": vector(0.0, 1.0)}, 0) == 2
    for stored in (0, 2):
        with pytest.raises(StoreError, match=r"'b' has shape \(1,\), those in the store have 2") as raised:
            common_length({"a": vector(1.0, 2.0), "b": vector(1.0)}, stored)
        assert Step.EMBED_STORE.value in str(raised.value)


def test_times_are_saved_to_the_microsecond() -> None:
    time = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
    assert time_of(microseconds(time)) == time
    assert time_of(microseconds(datetime(1960, 1, 1, tzinfo=UTC))).year == 1960


async def test_the_requested_embedding_must_be_the_recorded_one() -> None:
    requested = await RequestedEmbedding.make(fake_embedder, "fake", "small-16", "a.store")
    assert requested.name_for_new() == requested.agreed("fake").name == "fake"
    with pytest.raises(EmbeddingMismatchError) as raised:
        requested.agreed("other")
    error = raised.value
    assert (error.where, error.option) == ("a.store", "embedding")
    assert error.details == {"embedding": "fake", "store": "a.store"}
    await requested.close()
    unnamed = await RequestedEmbedding.make(fake_embedder, None, "small-16", "a.store")
    assert (unnamed.name_for_new(), unnamed.agreed("fake").name) == ("small-16", "fake")
