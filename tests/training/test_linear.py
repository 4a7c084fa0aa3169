"""The fit of the linear scorer, and its scores."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.schema import Assignment, Provenance, Tag, TaggedContent
from llm4tag.tools.content_features import MIXED, TITLED, mixed
from llm4tag.tools.cooccurrence import Cooccurrence
from llm4tag.tools.linear_model import NEAREST, RIDGE
from llm4tag.tools.terms import Floats32
from llm4tag.training import linear_fit
from llm4tag.training.linear_fit import LinearFit, fit_linear
from llm4tag.training.tagged_history import History, load_history
from tests.fakes import priors
from tests.fakes.history import TOPICS, contents

FITTED = priors.FITTED.model_copy(update={"tagged_contents": 300, "documents": 300})


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
    model = linear.model
    rest = np.setdiff1d(np.arange(len(history)), group)
    similarities = model.features.similarities(model.features)
    alike = mixed(similarities, MIXED)[19]
    near = rest[np.argsort(-alike[rest], kind="stable")[:NEAREST]]
    labels = model.labels.toarray().astype(np.float64)

    def speak(kernel: Floats32) -> NDArray[np.float64]:
        inner = kernel[np.ix_(near, near)].astype(np.float64) + RIDGE * np.eye(len(near))
        found: NDArray[np.float64] = np.linalg.solve(inner, kernel[near, 19])
        return found

    def expected(kernel: Floats32) -> NDArray[np.float64]:
        whole = kernel.astype(np.float64)
        penalised = whole[rest].T @ whole[rest] + RIDGE * whole
        weights = np.linalg.lstsq(penalised, whole[rest].T @ labels[rest], rcond=1e-9)[0]
        by_near = speak(kernel)
        found: NDArray[np.float64] = (whole[19] - by_near @ whole[near]) @ weights + by_near @ labels[near]
        return found

    held_out = linear.held_out(19)
    assert held_out.raw == pytest.approx(expected(mixed(similarities, MIXED)), abs=0.01)
    assert held_out.titled == pytest.approx(expected(mixed(similarities, TITLED)), abs=0.01)
    assert held_out.nearness == pytest.approx(float(alike[rest].max()), abs=1e-4)
    if "vectors" in similarities:
        by_product = speak(similarities["words"] * similarities["vectors"]) @ labels[near]
        assert held_out.wide == pytest.approx(by_product, abs=0.01)
    else:
        assert held_out.wide is None
    fitted = model.scores(history.texts[19], vector_at(history, 19)).raw
    tagged = labels[19] > 0
    errors = [float(np.abs(1 - scores[tagged]).max()) for scores in (held_out.raw, fitted)]
    assert errors[0] > errors[1], "what it has seen it is surer of"


def test_with_few_landmarks_rare_tags_are_still_scored(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_fit, "LANDMARKS", 40)
    monkeypatch.setattr(linear_fit, "_MOST_FREQUENT", 3)
    model = fit_linear(history, FITTED).model
    assert (len(model.landmarks), model.mixed.weights.shape[1], len(model.tags)) == (40, 3, len(TOPICS))
    right = 0
    for row in range(60):
        scores = model.scores(history.texts[row], vector_at(history, row), history.ids[row]).raw
        right += model.tags[int(scores.argmax())] in history.tags[row]
    assert right > 45


def test_a_document_it_was_fitted_on_is_scored_as_if_it_had_not_been(history: History, linear: LinearFit) -> None:
    alone = next(row for row, group in linear.duplicates.items() if len(group) == 1)
    scores = linear.model.scores(history.texts[alone], vector_at(history, alone), history.ids[alone])
    assert scores.raw == pytest.approx(linear.held_out(alone).raw, abs=0.01)
    if scores.wide is not None:
        assert scores.wide == pytest.approx(linear.held_out(alone).wide, abs=0.01)


def test_company_of_the_surest_tags() -> None:
    labels = csr_array(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32))
    scores = np.array([0.5, 0.0, -0.2], dtype=np.float32)
    company, closest = Cooccurrence.of(labels).company(scores)
    assert company == pytest.approx([0, 0.5 * 2 / (3 + 2), 0])
    assert closest == pytest.approx(company)
    without, _ = Cooccurrence.of(labels).company(scores, without=labels[:1])
    assert without == pytest.approx([0, 0.5 * 1 / (2 + 2), 0]), "as if the first document had not been"
