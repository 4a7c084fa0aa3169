"""What becomes of the parents of accepted tags."""

from llm4tag.graphs.parents import ancestors_of, consistent
from llm4tag.graphs.tagging import graph
from llm4tag.knowledge_store.stores import open_store
from llm4tag.schema import CalibrationNote, Decision, T2TEvidence, Tag, TagDecision, TagResult, Vocabulary
from llm4tag.schema.options import ParentsRule, TagOptions

MEASURED = CalibrationNote(status="calibrated", calibrator="c")
VOCABULARY = Vocabulary(
    [
        Tag(id="animal", name="Animal"),
        Tag(id="group", name="Group", group=True),
        Tag(id="cat", name="Cat", parents=("animal", "group", "a name alone")),
        Tag(id="lynx", name="Lynx", parents=("cat",)),
        Tag(id="one", name="One", parents=("other",)),
        Tag(id="other", name="Other", parents=("one",)),
    ]
)


def on(tag: str, confidence: float, decision: Decision, note: CalibrationNote = MEASURED) -> TagDecision:
    return TagDecision(
        id=tag,
        name=VOCABULARY[tag].name,
        confidence=confidence,
        decision=decision,
        calibration=note,
        evidence=(),
    )


def under(rule: ParentsRule, *decisions: TagDecision) -> list[tuple[str, float, Decision]]:
    found = consistent(decisions, VOCABULARY, rule, VOCABULARY.assignable)
    return [(one.id, one.confidence, one.decision) for one in found]


LYNX = on("lynx", 0.9, Decision.ACCEPT)
CAT = on("cat", 0.4, Decision.REVIEW, CalibrationNote())


def test_as_labelled_leaves_decisions_as_they_are() -> None:
    assert consistent([LYNX, CAT], VOCABULARY, ParentsRule.AS_LABELLED, VOCABULARY.assignable) == [LYNX, CAT]


def test_parents_are_added_at_any_depth_as_sure_as_the_child() -> None:
    found = consistent([LYNX, CAT], VOCABULARY, ParentsRule.ADD, VOCABULARY.assignable)
    assert [(one.id, one.confidence, one.decision) for one in found] == [
        ("lynx", 0.9, Decision.ACCEPT),
        ("cat", 0.9, Decision.ACCEPT),
        ("animal", 0.9, Decision.ACCEPT),
    ], "a group is never output, nor is a name that is no tag"
    assert {one.calibration.status for one in found} == {"calibrated"}
    assert [one.reason for one in found] == ["", *["Lynx is accepted, which is below it"] * 2]
    assert isinstance(found[2].evidence[0], T2TEvidence)


def test_the_parents_of_what_is_not_accepted_are_not_added() -> None:
    assert under(ParentsRule.ADD, CAT) == [("cat", 0.4, Decision.REVIEW)]


def test_a_parent_that_is_surer_than_its_child_keeps_its_confidence() -> None:
    cat = on("cat", 0.95, Decision.ACCEPT)
    assert under(ParentsRule.ADD, cat, LYNX)[0] == ("cat", 0.95, Decision.ACCEPT)


def test_only_leaves_rejects_a_parent_whose_child_is_accepted() -> None:
    cat = on("cat", 0.95, Decision.ACCEPT)
    assert under(ParentsRule.ONLY_LEAVES, cat, LYNX) == [
        ("cat", 0.95, Decision.REJECT),
        ("lynx", 0.9, Decision.ACCEPT),
    ]
    lynx = on("lynx", 0.4, Decision.REVIEW)
    assert under(ParentsRule.ONLY_LEAVES, cat, lynx)[0][2] is Decision.ACCEPT, "the child is not accepted"


def test_in_a_cycle_nobody_is_the_leaf() -> None:
    both = [on("one", 0.9, Decision.ACCEPT), on("other", 0.8, Decision.ACCEPT)]
    assert [decision for _, _, decision in under(ParentsRule.ONLY_LEAVES, *both)] == [Decision.ACCEPT] * 2
    assert set(ancestors_of("one", VOCABULARY)) == {"other"}


def test_what_may_not_be_output_is_not_added() -> None:
    found = consistent([LYNX], VOCABULARY, ParentsRule.ADD, frozenset({"lynx", "animal"}))
    assert [one.id for one in found] == ["lynx", "animal"]


async def test_a_result_has_parents_within_what_was_asked_for(store: str) -> None:
    async with await open_store(store) as opened:
        await opened.upsert_tags(
            [Tag(id="above", name="Qwxz"), Tag(id="mail", name="Mail", aliases=("e-mail",), parents=("above",))]
        )
    chosen = TagOptions(store=store, use_llm=False, max_rounds=1, accept_at=0.01, parents=ParentsRule.ADD, top=3)
    text = "a mail reader with imap for the terminal"
    result = TagResult.model_validate(await graph.ainvoke({"id": "new", "text": text}, context=chosen))
    accepted = {one.id: one.confidence for one in result.accepted}
    assert accepted["above"] >= accepted["mail"]
    assert len(result.tags) == 3
    assert not {one.id for one in result.tags} & set(result.cut)
