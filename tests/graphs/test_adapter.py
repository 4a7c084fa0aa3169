"""A fine-tuned judge in the graph: its prompt, its switch, its place in results and conditions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from llm4tag.graphs.context import shared_runtime
from llm4tag.graphs.decide import conditions_of
from llm4tag.graphs.plan import plan_of
from llm4tag.graphs.state import TaggingInput
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.models.local import local_model as opening
from llm4tag.models.local.server_process import Server
from llm4tag.schema import Tag, TagResult, UsageError
from llm4tag.schema.options import TagOptions
from llm4tag.training.recall_fit import fit_recall
from tests.fakes.adapters import adapter_folder, base_file, sha256
from tests.fakes.history import fill
from tests.fakes.openai_server import FakeOpenAI, Reply
from tests.fakes.progress import quiet
from tests.fakes.scripted_llm import asked_labels, likes

MAIL: TaggingInput = {"id": "new", "text": "a mail reader with imap for the terminal"}


@pytest.fixture
def base(tmp_path: Path, fake: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model file whose server is the fake; its judge likes mail a little, and nothing else."""

    def chat(request: dict[str, Any]) -> Reply:
        if "Does this tag apply?" in request["messages"][-1]["content"]:
            mail = "Tag: mail (Mail)." in request["messages"][-1]["content"]
            return Reply(
                "No", first_token={"No": -0.6, "Yes": -0.9, "yes": -9.0} if mail else {"No": -0.1, "Ye": -7.0}
            )
        return likes("Mail", "Client")(request)

    fake.chat = chat
    server = Server(fake.api_base.removesuffix("/v1"), SecretStr("none"), slots=1)
    monkeypatch.setattr(opening, "acquire_server", lambda model, cache_dir: server)
    return base_file(tmp_path / "base.gguf")


@pytest.fixture
def tuned(options: Callable[..., TagOptions], base: Path, tmp_path: Path) -> Callable[..., TagOptions]:
    folder = adapter_folder(tmp_path / "judge", base)

    def make(**chosen: Any) -> TagOptions:
        return options(
            **{
                "model": f"local/{base}",
                "api_base": None,
                "adapter": str(folder),
                "samples": 3,
                "cascade": False,
                **chosen,
            }
        )

    return make


async def test_the_adapter_judges_and_the_bare_model_does_the_rest(
    tuned: Callable[..., TagOptions], fake: FakeOpenAI, tmp_path: Path
) -> None:
    result = TagResult.model_validate(await graph.ainvoke(MAIL, context=tuned(samples=2, examples=1)))
    assert result.degraded is None
    judged = [request for request in fake.chat_requests if "Does this tag apply?" in str(request["messages"])]
    listed = [request for request in fake.chat_requests if asked_labels(request)]
    assert len(judged) + len(listed) == len(fake.chat_requests)
    assert {request["lora"][0]["scale"] for request in judged} == {1.0}
    assert {request["lora"][0]["scale"] for request in listed} == {0.0}
    assert judged[0]["messages"][-1]["content"].startswith(
        f"Item:\n{MAIL['text']}\n\nSimilar items:\n- imap mail reader for: client, mail\n\nTag: "
    )
    by_id = {tag.id: tag for tag in result.tags}
    assert by_id["mail"].signals.p_yes == pytest.approx(1 / (1 + 2.718281828**0.3))
    assert by_id["web"].signals.p_yes == pytest.approx(1 / (1 + 2.718281828**6.9))
    assert result.origin.adapter == sha256(tmp_path / "judge" / "adapter.safetensors")


async def test_a_content_that_the_judge_does_not_see_whole_says_so(tuned: Callable[..., TagOptions]) -> None:
    long: TaggingInput = {"id": "long", "text": f"{MAIL['text']} {'x' * 60}"}
    for content, seen in ((MAIL, True), (long, False)):
        notes = (await graph.ainvoke(content, context=tuned(judge_top=1, samples=1)))["notes"]
        assert any("saw only the first 60 characters" in note for note in notes) is not seen


async def test_results_conditions_and_answers_are_of_the_adapter_and_its_form(
    tuned: Callable[..., TagOptions], fake: FakeOpenAI
) -> None:
    found = []
    for chosen in (tuned(), tuned(judge_form="generic"), tuned(adapter="none")):
        runtime = await shared_runtime(chosen)
        conditions = await conditions_of(runtime, await plan_of(runtime))
        result = TagResult.model_validate(await graph.ainvoke(MAIL, context=chosen))
        found.append((conditions["adapter"], conditions["prompts"], result))
    (adapter, prompts, _), (same, generic, _), (none, zero_shot, bare) = found
    assert adapter == same
    assert none is None
    assert len({prompts, generic, zero_shot}) == 3
    assert bare.origin.adapter is None
    assert all("lora" not in request for request in fake.chat_requests[-bare.usage.llm_calls :])
    assert bare.usage.cached_answers == 3, "the generator's answers do not depend on the adapter"


async def test_of_tags_newer_than_the_fit_it_is_asked_without_similar_contents(
    tuned: Callable[..., TagOptions], fake: FakeOpenAI, tmp_path: Path
) -> None:
    location = str(tmp_path / "fitted.llm4tag")
    async with await open_store(location, embedding="none", create=True) as opened:
        await fill(opened)
        await fit_recall(opened, quiet)
        await opened.upsert_tags([Tag(id="feeds", name="Feeds"), Tag(id="planets", name="Planets")])
    text: TaggingInput = {"text": "reads mail letters in the imap inbox, and news feeds"}
    chosen = tuned(store=location, samples=0, cascade=False, judge_top=2, judge_unseen=None)
    result = TagResult.model_validate(await graph.ainvoke(text, context=chosen))
    assert result.degraded is None
    prompts = [request["messages"][-1]["content"] for request in fake.chat_requests]
    about = {tag: [one for one in prompts if f"Tag: {tag} (" in one] for tag in ("mail", "feeds")}
    assert [len(found) for found in about.values()] == [1, 1]
    assert "Similar items:" in about["mail"][0]
    assert "Similar items:" not in about["feeds"][0]


async def test_a_merged_one_is_asked_elsewhere_in_its_own_words(
    tuned: Callable[..., TagOptions], fake: FakeOpenAI, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    base = base_file(tmp_path / "other" / "base.gguf")
    merged = {"file": "judge.gguf", "sha256": sha256(base)}
    folder = adapter_folder(tmp_path / "merged", base, merged=merged)
    (folder / "adapter.safetensors").unlink()
    chosen = tuned(model="openai/judge", api_base=fake.api_base, adapter=str(folder), samples=0)
    result = TagResult.model_validate(await graph.ainvoke(MAIL, context=chosen))
    assert result.degraded is None
    assert result.usage.llm_calls == len(fake.chat_requests) > 1
    assert all("Does this tag apply?" in request["messages"][-1]["content"] for request in fake.chat_requests)
    assert all("lora" not in request for request in fake.chat_requests)
    assert result.origin.adapter == sha256(tmp_path / "judge" / "adapter.safetensors")


async def test_a_model_that_cannot_take_it_is_refused(tuned: Callable[..., TagOptions], fake: FakeOpenAI) -> None:
    with pytest.raises(UsageError, match="merge the adapter into its base"):
        await graph.ainvoke(MAIL, context=tuned(model="openai/fake", api_base=fake.api_base))
    alone = await graph.ainvoke(MAIL, context=tuned(model="openai/fake", use_llm=False))
    assert alone["origin"]["adapter"] is None
