"""A result drawn for a reader: each tag with its confidence, decision and evidence.

Contents come from anywhere: control characters, which a terminal would obey, are spelled out in all that is drawn.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from llm4tag.cli.common import printable
from schema import (
    C2C2TEvidence,
    C2TEvidence,
    Content,
    Decision,
    Evidence,
    LinearEvidence,
    Neighbour,
    Signals,
    T2TEvidence,
    TagDecision,
    TagLink,
    TagResult,
    Vocabulary,
)

_BEGINNING = 90
_COLOURS = {Decision.ACCEPT: "green", Decision.REVIEW: "yellow", Decision.REJECT: "red"}


def neighbour_ids(tags: Iterable[TagDecision]) -> list[str]:
    """Return the ids of all neighbours in the evidence, to look up their texts."""
    evidence = [item for tag in tags for item in tag.evidence if isinstance(item, C2C2TEvidence)]
    return list(dict.fromkeys(neighbour.id for item in evidence for neighbour in item.neighbours))


def draw_result(
    result: TagResult, tags: Sequence[TagDecision], contents: Mapping[str, Content], vocabulary: Vocabulary
) -> RenderableType:
    """Return a result for a terminal.

    Args:
        result: whole.
        tags: which of its tags to draw.
        contents: the neighbours' contents, by id; those that are no longer in the store may be missing.
        vocabulary: for the names of linked tags.
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
    """Return the tags of one content as a table, with the evidence in a few words and what people gave."""
    table = Table(title=Text(beginning(content), style="bold"), title_justify="left", box=SIMPLE, expand=True)
    table.add_column("tag", ratio=2)
    table.add_column("confidence", justify="right", min_width=12)
    table.add_column("decision", min_width=8)
    table.add_column("given by\npeople", min_width=8)
    table.add_column("evidence", ratio=3)
    for tag in tags:
        said = [
            _short(item) for item in tag.evidence if not isinstance(item, T2TEvidence) or len(tag.evidence) == 1
        ]
        if tag.signals.of_llm:
            said.append(_llm_line(tag.signals))
        table.add_row(
            Text(visible(tag.name)),
            confidence_of(tag),
            Text(tag.decision.value, style=_COLOURS[tag.decision]),
            "yes" if tag.id in gold else "",
            Text("; ".join(said)),
        )
    return Group(table, *map(Text, _remarks(result)), "")


def confidence_of(tag: TagDecision) -> str:
    """Return a confidence as people may read it: a number only where it is a measured probability."""
    return f"{tag.confidence:.2f}" if tag.calibration.status == "calibrated" else tag.calibration.status


def _short(item: Evidence) -> str:
    match item:
        case C2TEvidence(verbatim=True):
            return f"'{visible(item.unit)}' stands in the text"
        case C2TEvidence():
            return f"resembles '{visible(item.unit)}'" if item.unit else "resembles the tag"
        case C2C2TEvidence():
            return f"on {item.support} of {item.looked_at} similar contents"
        case LinearEvidence():
            return f"linear scorer {item.raw:.2f}"
        case T2TEvidence():
            return "goes with other candidates"


def visible(text: str) -> str:
    """Return text on one line, its control characters spelled out."""
    return printable(" ".join(text.split()))


def beginning(content: Content) -> str:
    """Return the first words of a content, on one line."""
    text = visible(content.full_text[: 4 * _BEGINNING])
    return text if len(text) <= _BEGINNING else text[: _BEGINNING - 1] + "…"


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
    for item in tag.evidence:
        lines = _lines(item, contents, vocabulary)
        branch = tree.add(Text(lines[0]))
        for line in lines[1:]:
            branch.add(Text(line))
    if tag.signals.of_llm:
        tree.add(Text(_llm_line(tag.signals)))
    return tree


def _lines(item: Evidence, contents: Mapping[str, Content], vocabulary: Vocabulary) -> list[str]:
    """Return evidence in words: the first line says it, the others give particulars."""
    match item:
        case C2TEvidence():
            lines = _text_lines(item)
        case C2C2TEvidence():
            said = f"{item.support} of {item.looked_at} similar contents carry it, {item.human_support} by people"
            lines = [said, *(_neighbour(one, contents) for one in item.neighbours)]
        case LinearEvidence():
            lines = [f"history's words and meaning, weighed by the linear scorer, give {item.raw:.2f} (1: sure)"]
        case T2TEvidence():
            lines = ["it goes with other candidates", *(_link(one, vocabulary) for one in item.links)]
    found_in = f", round {item.round}" if item.round > 1 else ""
    return [f"{item.path.value} {item.score:.2f}{found_in}: {lines[0]}", *lines[1:]]


def _text_lines(item: C2TEvidence) -> list[str]:
    lines = ["the text resembles the tag"]
    if item.unit:
        how = "stands in the text word for word" if item.verbatim else "shares words with the text"
        score = "" if item.keyword_score is None else f" (BM25 {item.keyword_score:.2f})"
        lines.append(f"its {item.unit_kind or 'name'} '{visible(item.unit)}' {how}{score}")
    if item.vector_score is not None:
        part = f"the part '{visible(item.part)}'" if item.part else "the whole text"
        lines.append(f"the nearest in meaning is {part} (cosine {item.vector_score:.2f})")
    return lines


def _neighbour(neighbour: Neighbour, contents: Mapping[str, Content]) -> str:
    content = contents.get(neighbour.id)
    text = "no longer in the store" if content is None else beginning(content)
    given = "tagged by people" if neighbour.provenance.value == "human" else "tagged by a model"
    return f"{visible(neighbour.id)} (similarity {neighbour.similarity:.2f}, {given}): {text}"


def _link(link: TagLink, vocabulary: Vocabulary) -> str:
    tag = vocabulary.get(link.tag)
    name = visible(tag.name if tag else link.tag)
    words = {"cooccurrence": "often given together with", "parent": "a child of", "child": "a parent of"}
    return f"{words[link.kind]} '{name}' (weight {link.weight:.2f})"


def _llm_line(item: Signals) -> str:
    said = []
    if item.agreement is not None:
        said.append(f"named in {round(item.agreement * item.samples)} of {item.samples} answers")
    if item.p_yes is not None:
        said.append(f"judged yes with probability {item.p_yes:.2f}")
    if item.verbal is not None:
        said.append(f"said to be {item.verbal:.0%} likely among all")
    return "the LLM: " + (", ".join(said) or "no usable answer")


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
        f"{usage.llm_calls} LLM calls ({usage.cached_answers} answers replayed), {usage.prompt_tokens} prompt and "
        f"{usage.completion_tokens} completion tokens, {usage.seconds:.2f} s"
    )
    return remarks
