"""A result drawn for a reader: each tag with its confidence, decision and evidence.

Contents come from anywhere: control characters, which a terminal would obey, are made visible in what is drawn.
"""

from collections.abc import Collection, Mapping, Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from llm4tag.evidence_words import beginning, confidence_of, evidence_lines, evidence_summary
from llm4tag.schema import Content, Decision, TagDecision, TagResult, Vocabulary
from llm4tag.schema.text import visible

_COLOURS = {Decision.ACCEPT: "green", Decision.REVIEW: "yellow", Decision.REJECT: "red"}


def draw_result(
    result: TagResult, tags: Sequence[TagDecision], contents: Mapping[str, Content], vocabulary: Vocabulary
) -> RenderableType:
    """Return a result for a terminal.

    Args:
        result: the whole result.
        tags: those of its tags that are drawn.
        contents: the similar contents, by id; those that are no longer in the store may be missing.
        vocabulary: has the names of linked tags.
    """
    parts: list[RenderableType] = [Text(visible(result.id), style="bold")]
    parts += [_draw_tag(place, tag, contents, vocabulary) for place, tag in enumerate(tags, 1)]
    left = len(result.tags) - len(tags)
    if left > 0:
        parts.append(Text(f"{left} more candidates below"))
    return Group(*parts, *map(Text, _remarks(result)))


def draw_table(
    result: TagResult, tags: Sequence[TagDecision], content: Content, gold: Collection[str]
) -> RenderableType:
    """Return the tags of one content as a table, with the evidence in a few words; ``gold`` are tags by people."""
    table = Table(title=Text(beginning(content), style="bold"), title_justify="left", box=SIMPLE, expand=True)
    table.add_column("tag", ratio=2)
    table.add_column("confidence", justify="right", min_width=len("0.00 calibrated"))
    table.add_column("decision", min_width=8)
    table.add_column("given by\npeople", min_width=8)
    table.add_column("evidence", ratio=3)
    for tag in tags:
        table.add_row(
            Text(visible(tag.name)),
            confidence_of(tag),
            Text(tag.decision.value, style=_COLOURS[tag.decision]),
            "yes" if tag.id in gold else "",
            Text(evidence_summary(tag)),
        )
    return Group(table, *map(Text, _remarks(result)), "")


def _draw_tag(
    place: int, tag: TagDecision, contents: Mapping[str, Content], vocabulary: Vocabulary
) -> RenderableType:
    reason = f" ({visible(tag.calibration.reason)})" if tag.calibration.reason and place == 1 else ""
    title = Text.assemble(
        f"{place}. ",
        (visible(tag.name), "bold"),
        f" [{visible(tag.id)}]  ",
        (tag.decision.value, _COLOURS[tag.decision]),
        f"  {confidence_of(tag)}{reason}",
    )
    tree = Tree(title)
    for lines in evidence_lines(tag, contents, vocabulary):
        branch = tree.add(Text(lines[0]))
        for line in lines[1:]:
            branch.add(Text(line))
    return tree


def _remarks(result: TagResult) -> list[str]:
    remarks = []
    if result.off_vocabulary:
        names = ", ".join(f"'{visible(one.name)}' ({one.count}x)" for one in result.off_vocabulary)
        remarks.append(f"Named by the LLM, but no tags of the vocabulary: {names}")
    if result.rounds > 1:
        remarks.append(f"{result.rounds} rounds: the search was widened while no tag was confident enough.")
    remarks += [visible(note) for note in result.notes]
    if result.degraded is not None:
        remarks.append(f"Degraded: {visible(result.degraded)}")
    usage = result.usage
    remarks.append(
        f"{usage.llm_calls} LLM calls ({usage.cached_answers} more answers from the cache), "
        f"{usage.prompt_tokens} prompt and {usage.completion_tokens} completion tokens, {usage.seconds:.2f} s"
    )
    return remarks
