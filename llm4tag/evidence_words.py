"""Evidence in words, for a terminal and for a page.

Contents come from anywhere, so control characters, which a terminal would obey, are spelled out in every line.
"""

from collections.abc import Iterable, Mapping

from llm4tag.schema import (
    C2C2TEvidence,
    C2TEvidence,
    Content,
    Evidence,
    LinearEvidence,
    Neighbour,
    Signals,
    T2TEvidence,
    TagDecision,
    TagLink,
    Vocabulary,
    neighbours_in,
)
from llm4tag.schema.text import visible

_BEGINNING = 90
"""Characters of a content that are shown."""


def neighbour_ids(tags: Iterable[TagDecision]) -> list[str]:
    """Return the ids of all neighbours in the evidence, to look up their texts."""
    return neighbours_in(item for tag in tags for item in tag.evidence)


def confidence_of(tag: TagDecision) -> str:
    """Return a confidence for people to read: the number, and whether it is calibrated or estimated."""
    return f"{tag.confidence:.2f} {tag.calibration.status}"


def evidence_summary(tag: TagDecision) -> str:
    """Return the evidence of a tag in a few words, on one line."""
    single = len(tag.evidence) == 1
    said = [_short(item) for item in tag.evidence if single or not isinstance(item, T2TEvidence)]
    reason = [visible(tag.reason)] if tag.reason else []
    return "; ".join([*reason, *said, *([_of_llm(tag.signals)] if tag.signals.of_llm else [])])


def evidence_lines(tag: TagDecision, contents: Mapping[str, Content], vocabulary: Vocabulary) -> list[list[str]]:
    """Return the evidence of a tag, path by path and then of the LLM: each a sentence, then its particulars.

    Args:
        tag: a tag of a result.
        contents: the contents of the neighbours, by id; those that are no longer in the store may be missing.
        vocabulary: the vocabulary, for the names of linked tags.
    """
    said = [_lines(item, contents, vocabulary) for item in tag.evidence]
    reason = [[visible(tag.reason)]] if tag.reason else []
    return [*reason, *said, *([[_of_llm(tag.signals)]] if tag.signals.of_llm else [])]


def _short(item: Evidence) -> str:
    match item:
        case C2TEvidence(verbatim=True):
            return f"'{visible(item.unit)}' is in the text"
        case C2TEvidence():
            return f"resembles '{visible(item.unit)}'" if item.unit else "resembles the tag"
        case C2C2TEvidence():
            return f"on {item.support} of {item.looked_at} similar contents"
        case LinearEvidence():
            return f"linear scorer {item.raw:.2f}"
        case T2TEvidence():
            return "goes together with other candidates"


def _lines(item: Evidence, contents: Mapping[str, Content], vocabulary: Vocabulary) -> list[str]:
    """Return evidence in words: a sentence, then particulars."""
    match item:
        case C2TEvidence():
            lines = _text_lines(item)
        case C2C2TEvidence():
            said = f"{item.support} of {item.looked_at} similar contents carry it, {item.human_support} by people"
            lines = [said, *(_neighbour(one, contents) for one in item.neighbours)]
        case LinearEvidence():
            lines = [f"history's words and meaning, weighed by the linear scorer, give {item.raw:.2f} (1: sure)"]
        case T2TEvidence():
            lines = ["it goes together with other candidates", *(_link(one, vocabulary) for one in item.links)]
    found_in = f", round {item.round}" if item.round > 1 else ""
    return [f"{item.path.value} {item.score:.2f}{found_in}: {lines[0]}", *lines[1:]]


def _of_llm(item: Signals) -> str:
    said = []
    if item.agreement is not None:
        said.append(f"named in {round(item.agreement * item.samples)} of {item.samples} answers")
    if item.p_yes is not None:
        said.append(f"judged yes with probability {item.p_yes:.2f}")
    if item.rating is not None:
        said.append(f"said to be {item.rating:.0%} likely among all")
    return "the LLM: " + (", ".join(said) or "no usable answer")


def beginning(content: Content) -> str:
    """Return the first words of a content, on one line."""
    text = visible(content.full_text[: 4 * _BEGINNING])
    return text if len(text) <= _BEGINNING else text[: _BEGINNING - 1] + "…"


def _text_lines(item: C2TEvidence) -> list[str]:
    lines = ["the text resembles the tag"]
    if item.unit:
        how = "is in the text word for word" if item.verbatim else "shares words with the text"
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
