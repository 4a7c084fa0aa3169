"""The fit of the linear scorer, its scores and its bytes."""

import numpy as np
import pytest

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Assignment, Provenance, StoreError, Tag, TaggedContent
from llm4tag.tools.linear_model import Cooccurrence, LinearModel
from llm4tag.tools.terms import Floats32
from llm4tag.training.linear_fit import LinearFit, fit_linear
from llm4tag.training.tagged_history import History, load_history
from tests.fakes import priors
from tests.fakes.history import TOPICS, contents

FITTED = priors.FITTED.model_copy(update={"tagged_contents": 300, "documents": 300})


@pytest.fixture
async def history(store: KnowledgeStore) -> History:
    return await load_history(store)


@pytest.fixture
def linear(history: History) -> LinearFit:
    return fit_linear(history, FITTED)


def vector_at(history: History, row: int) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    return None if history.vectors is None else history.vectors[row]


async def test_history_is_what_people_tagged(store: KnowledgeStore) -> None:
    await store.upsert_tags([Tag(id="gone", name="Gone", retired=True)])
    mail = Assignment(tag="mail")
    model = Assignment(tag="mail", provenance=Provenance.MODEL)
    await store.upsert_contents(
        [
            TaggedContent(id="m", text="imap", assignments=(model,)),
            TaggedContent(id="r", text="imap", assignments=(Assignment(tag="gone"),)),
            TaggedContent(id="b", text=" ", assignments=(mail,)),
            TaggedContent(
                id="h", title="A", text="imap", assignments=(Assignment(tag="mail"), Assignment(tag="gone"))
            ),
        ]
    )
    history = await load_history(store)
    assert len(history) == 301
    assert not {"m", "r", "b"} & set(history.ids)
    row = list(history.ids).index("h")
    assert (history.texts[row], history.tags[row]) == ("A\nimap", ("mail",))
    assert (history.vectors is None) == (store.embedding == "none")


async def test_scores_tell_the_right_tags(store: KnowledgeStore, linear: LinearFit) -> None:
    new = contents(60, seed=1)
    right = 0
    for content in new:
        scores = linear.model.scores(content.text, await store.embed_query(content.text)).raw
        right += linear.model.tags[int(scores.argmax())] in {item.tag for item in content.assignments}
    assert right > 50
    assert set(linear.model.tags) == set(TOPICS)


def test_held_out_scores_are_those_of_a_fit_without_the_group(history: History, linear: LinearFit) -> None:
    group = linear.duplicates[19]
    assert list(group) == [18, 19], "19 repeats 18"
    rest = np.setdiff1d(np.arange(len(history)), group)
    kernel = linear.model.kernel
    words = linear.model.words
    by_words = (words @ words.T).toarray()
    vectors = linear.model.vectors
    gaussian = None if vectors is None else kernel.gaussian(vectors.rows @ vectors.rows.T)

    def expected(whole: Floats32) -> Floats32:
        inner = whole[np.ix_(rest, rest)].astype(np.float64) + linear.model.ridge * np.eye(len(rest))
        found: Floats32 = whole[19, rest] @ np.linalg.solve(inner, linear.labels[rest].astype(np.float64))
        return found

    held_out = linear.held_out(19)
    assert held_out.raw == pytest.approx(expected(kernel.mixed(by_words, gaussian)), abs=1e-3)
    if gaussian is None:
        assert held_out.wide is None
    else:
        assert held_out.wide == pytest.approx(expected(by_words * gaussian), abs=1e-3)
    fitted = linear.model.scores(history.texts[19], vector_at(history, 19)).raw
    tagged = linear.labels[19] > 0
    assert (linear.held_out(19).raw[tagged] < fitted[tagged]).all(), "what it has seen it is surer of"


def test_a_document_it_was_fitted_on_is_scored_as_if_it_had_not_been(history: History, linear: LinearFit) -> None:
    alone = next(row for row, group in enumerate(linear.duplicates) if len(group) == 1)
    scores = linear.model.scores(history.texts[alone], vector_at(history, alone), history.ids[alone])
    assert scores.raw == pytest.approx(linear.held_out(alone).raw, abs=1e-3)
    if scores.wide is not None:
        assert scores.wide == pytest.approx(linear.held_out(alone).wide, abs=1e-3)


def test_bytes_and_back(history: History, linear: LinearFit) -> None:
    again = LinearModel.from_bytes(linear.model.to_bytes())
    assert (again.fitted, again.kernel, again.ridge) == (FITTED, linear.model.kernel, linear.model.ridge)
    for row in (0, 7):
        text, vector = history.texts[row], vector_at(history, row)
        one, other = again.scores(text, vector), linear.model.scores(text, vector)
        assert one.raw == pytest.approx(other.raw, abs=0.01)
        assert one.company == pytest.approx(other.company, abs=0.01)
        assert (one.wide is None) == (other.wide is None)
        if one.wide is not None:
            assert one.wide == pytest.approx(other.wide, abs=0.01)


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04", b"x" * 100])
def test_bytes_that_are_no_model_are_reported(broken: bytes) -> None:
    with pytest.raises(StoreError, match="fit recall on the store's history"):
        LinearModel.from_bytes(broken)


def test_company_of_the_surest_tags() -> None:
    labels = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    scores = np.array([0.5, 0.0, -0.2], dtype=np.float32)
    company, closest = Cooccurrence.of(labels).company(scores)
    assert company == pytest.approx([0, 0.5 * 2 / (3 + 2), 0])
    assert closest == pytest.approx(company)
    without, _ = Cooccurrence.of(labels).company(scores, without=labels[:1])
    assert without == pytest.approx([0, 0.5 * 1 / (2 + 2), 0]), "as if the first document had not been"
