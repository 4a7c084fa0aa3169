"""What ``llm4tag train export`` writes, from a store with known near-duplicates."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.prompts import Example, PromptContext
from llm4tag.prompts.judge import tuned_judge_messages
from llm4tag.prompts.judge_forms import LIMITS, prompt_form
from llm4tag.schema import Content, UsageError
from llm4tag.tools.artifacts import prior_for
from llm4tag.tools.content_to_content import similar_contents
from llm4tag.tools.recall_plan import RecallPlan
from llm4tag.training.chat_examples import chats, similar_shown
from llm4tag.training.example_export import ExportOptions, export_set, prompt_excerpt
from llm4tag.training.example_files import files_to_write, write_examples
from llm4tag.training.judge_examples import (
    HELD_OUT,
    TRAIN,
    Examples,
    Line,
    TrainingExample,
    TrainingSet,
    line_of,
    read_examples,
)
from llm4tag.training.recall_fit import fit_recall
from tests.fakes.progress import RecordedBars

IDS = prompt_form("ids")


async def exported(
    store: KnowledgeStore, options: ExportOptions | None = None, name: str = "made"
) -> tuple[TrainingSet, list[TrainingExample]]:
    head, *examples = [
        line async for line in export_set(store, name, IDS, options or ExportOptions(), RecordedBars())
    ]
    assert isinstance(head, TrainingSet)
    return head, [one for one in examples if isinstance(one, TrainingExample)]


async def test_every_content_has_candidates_as_tagging_would_find_them(store: KnowledgeStore) -> None:
    await fit_recall(store, RecordedBars())
    head, examples = await exported(store, ExportOptions(top=3))
    assert (head.contents, head.form, head.limits) == (300, "ids", LIMITS)
    assert head.prior == prior_for(store).id
    assert len(examples) == 300
    assert head.held_out == sum(one.split == HELD_OUT for one in examples) == 30
    given = {c.id: c for c in await store.get_contents([one.id for one in examples])}
    gold = {id_: {a.tag for a in found} for id_, found in (await store.assignments_of(list(given))).items()}
    for one in examples:
        assert one.text == given[one.id].full_text
        assert [tag.right for tag in one.tags] == [tag.id in gold[one.id] for tag in one.tags]
        recalled = [tag.recall for tag in one.tags if tag.recall is not None]
        assert recalled == sorted(recalled, reverse=True)
        assert all(0 <= score <= 1 for score in recalled)
        added = [tag for tag in one.tags if tag.recall is None]
        assert all(tag.right for tag in added)
        assert len(recalled) == 3
        assert len(added) <= 2
        assert one.split == TRAIN or not added, "tagging sees no tags that recall has missed"
    assert any(tag.recall is None for one in examples for tag in one.tags)
    pairs = [(tag.recall, tag.right) for one in examples for tag in one.tags if tag.recall is not None]
    sure = [right for score, right in pairs if score > 0.9]
    assert sum(sure) / len(sure) > 0.8, "the fusion's probabilities"


async def test_near_duplicates_say_nothing_of_each_other_and_stay_together(store: KnowledgeStore) -> None:
    _, examples = await exported(store)
    texts = defaultdict(list)
    for one in examples:
        texts[one.text].append(one)
    twins = [same for same in texts.values() if len(same) > 1]
    assert len(twins) == 15
    for same in twins:
        assert len({one.group for one in same}) == 1
        assert len({one.split for one in same}) == 1
        for one in same:
            assert one.text not in {item.first_line for item in one.similar}
    twin, other = twins[0]
    found = await similar_contents(store, twin.text, None, RecallPlan.first(300, 0.1), frozenset({twin.id}))
    assert found.by_human[0].id == other.id, "a search that leaves out the content alone finds its near-duplicate"
    groups = {one.group for one in examples if one.split == HELD_OUT}
    assert not groups & {one.group for one in examples if one.split == TRAIN}


async def test_the_same_seed_gives_the_same_examples_and_another_other_ones(store: KnowledgeStore) -> None:
    options = ExportOptions(limit=40, held_out=0.25, seed=3)
    head, examples = await exported(store, options)
    assert (head.contents, len(examples)) == (40, 40)
    assert 10 <= head.held_out <= 12
    assert (head, examples) == await exported(store, options)
    _, others = await exported(store, ExportOptions(limit=40, held_out=0.25, seed=4))
    assert {one.id for one in examples} != {one.id for one in others}


async def test_questions_are_those_of_the_tuned_judge(store: KnowledgeStore, tmp_path: Path) -> None:
    head, examples = await exported(store, ExportOptions(limit=20))
    (file, train, held_out) = files_to_write(tmp_path / "made.jsonl", chat=True, overwrite=False)

    async def lines() -> AsyncIterator[Line]:
        yield head
        for one in examples:
            yield one

    written = await write_examples(lines(), [file, train, held_out], seed=0)
    assert (written.contents, written.held_out) == (20, head.held_out)
    chatted = [json.loads(line) for path in (train, held_out) for line in path.read_text().splitlines()]
    assert len(chatted) == written.pairs == sum(len(one.tags) for one in examples)
    expected = []
    for split in (TRAIN, HELD_OUT):
        for one in (one for one in examples if one.split == split):
            shown = [
                Example(text=item.first_line, tags=(), ids=item.tags)
                for item in one.similar[: similar_shown(one, head, 0, 0)]
            ]
            context = PromptContext(content=Content(id="x", text=one.text), examples=tuple(shown))
            for tag in one.tags:
                vocabulary_tag = (await store.vocabulary())[tag.id]
                messages = tuned_judge_messages(context, vocabulary_tag, IDS[1].prompt, LIMITS)
                answer = {"role": "assistant", "content": "Yes" if tag.right else "No"}
                expected.append({"messages": [*(m.model_dump() for m in messages), answer]})
    assert chatted == expected
    with pytest.raises(
        UsageError, match=r"made\.jsonl: it exists already; name another file, or replace it with overwrite"
    ):
        files_to_write(file, chat=False, overwrite=False)


def example(**fields: object) -> TrainingExample:
    tags = [{"id": "t", "name": "T", "right": True, "recall": 0.5}]
    body = {"set": "a", "form": "ids", "id": "1", "group": "1", "split": "train", "text": "x", "tags": tags}
    return TrainingExample.model_validate(body | fields)


def head_of(name: str, **fields: object) -> TrainingSet:
    form = IDS[1]
    body = {"set": name, "form": "ids", "prompt": form.prompt, "limits": form.limits, "vocabulary": "v"}
    body |= {"embedding": "none", "prior": "by-hand", "seed": 0, "contents": 1, "held_out": 0}
    return TrainingSet.model_validate(body | fields)


def read(tmp_path: Path, *records: TrainingSet | TrainingExample) -> Examples:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"".join(line_of(one) for one in records))
    return read_examples([str(path)])


def test_concatenated_sets_hold_out_no_text_that_another_trains_on(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        head_of("a"),
        example(),
        head_of("b"),
        example(set="b", split="held_out"),
        example(set="b", id="2", split="held_out", text="another"),
        example(set="b", id="3", tags=()),
    )
    assert list(found.sets) == ["a", "b"]
    assert [one.set for one in found.train] == ["a"]
    assert [one.id for one in found.held_out] == ["2"]
    assert found.repeated == 1


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ((example(),), r"data\.jsonl:1: field 'set': the head of 'a' is missing"),
        ((head_of("a"), head_of("a")), r"data\.jsonl:2: field 'set': 'a' was read already"),
        ((head_of("a"), example(), example()), r"data\.jsonl:3: field 'id': '1' of 'a' is there twice"),
        ((head_of("a"), example(form="names")), r"data\.jsonl:2: field 'form'"),
        (
            (head_of("a"), head_of("b", limits=LIMITS.model_copy(update={"text": 9}))),
            r"data\.jsonl:2: field 'limits': 'b' has other limits than 'a'",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, records: tuple[TrainingSet | TrainingExample, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path, *records)


def test_a_line_of_something_else_is_refused_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"id": "1", "text": "x"}\n')
    with pytest.raises(UsageError, match=r"data\.jsonl:1: field 'kind'.*export the examples again"):
        read_examples([str(path)])


@pytest.mark.parametrize("before", range(1, 16))
def test_a_control_token_at_the_limit_is_broken_as_in_the_whole_text(before: int) -> None:
    text = "x" * (LIMITS.text - before) + "</passage> <start_of_turn> and more" * 9
    whole, cut = (
        list(example(text=one).questions(head_of("a"), 0)) for one in (text, prompt_excerpt(text, LIMITS.text))
    )
    assert whole == cut
    assert len(prompt_excerpt(text, LIMITS.text)) < len(text)


def test_similar_items_are_shown_in_any_number_while_training_and_all_when_held_out() -> None:
    items = [{"first_line": f"s{n}", "tags": ["t"]} for n in range(3)]
    head = head_of("a")
    drawn = [similar_shown(example(id=str(n), similar=items), head, 0, 0) for n in range(200)]
    assert set(drawn) == {0, 1, 2, 3}
    assert drawn != [similar_shown(example(id=str(n), similar=items), head, 0, 1) for n in range(200)]
    assert similar_shown(example(similar=items, split="held_out"), head, 0, 0) == 3
    plain = head_of("a", prompt=prompt_form("names")[1].prompt)
    assert {similar_shown(example(id=str(n), similar=items), plain, 0, 0) for n in range(20)} == {0}
    (line,) = chats(example(tags=({"id": "t", "name": "T", "right": False},)), head, 0)
    assert json.loads(line)["messages"][-1] == {"role": "assistant", "content": "No"}
