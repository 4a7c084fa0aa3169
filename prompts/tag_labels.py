"""Labels: how the LLM is shown tags, each by a name that no other candidate has."""

from collections import Counter
from collections.abc import Iterable

from llm4tag.schema import Vocabulary, normal_name


def labels_for(tags: Iterable[str], vocabulary: Vocabulary) -> dict[str, str]:
    """Return a label for each tag id: its name; where names clash, with its parents' names; then with its id."""
    ids = list(tags)
    labels = {tag: vocabulary[tag].name for tag in ids}
    for widen in (_with_parents, _with_id):
        counts = Counter(normal_name(label) for label in labels.values())
        labels = {
            tag: widen(tag, vocabulary) if counts[normal_name(label)] > 1 else label
            for tag, label in labels.items()
        }
    return labels


def _with_parents(tag: str, vocabulary: Vocabulary) -> str:
    parents = [vocabulary[parent].name for parent in vocabulary[tag].parents if parent in vocabulary]
    return f"{vocabulary[tag].name} ({', '.join(parents)})" if parents else vocabulary[tag].name


def _with_id(tag: str, vocabulary: Vocabulary) -> str:
    return f"{vocabulary[tag].name} [{tag}]"
