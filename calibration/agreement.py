"""Self-consistency: how often the samples of the generator name a tag, and when more can change nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TypeVar

from llm4tag.schema.llm_answers import Sample

Shares = Mapping[str, tuple[float, int]]
"""By tag id: the share of samples that named the tag, and the number of samples that could."""
D = TypeVar("D")


def agreement(samples: Sequence[Sample]) -> dict[str, tuple[float, int]]:
    """Return for each tag the share of samples that named it, and the number of samples whose list had it.

    Samples that failed do not count; a tag that a sample names though its list lacks it counts as asked there.
    """
    asked: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for sample in samples:
        if not sample.failure:
            asked.update({*sample.asked, *sample.named})
            named.update(sample.named)
    return {tag: (named[tag] / count, count) for tag, count in asked.items()}


def ends(share: float, answered: int, remaining: int) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return the least and the most agreement there can be after ``remaining`` more samples.

    Args:
        share: of the samples so far that named the tag.
        answered: the number of samples behind that share.
        remaining: the number of samples to come.
    """
    named, total = round(share * answered), answered + remaining
    return (named / total, total), ((named + remaining) / total, total)


def is_settled(
    samples: Sequence[Sample], tags: Sequence[str], remaining: int, decide: Callable[[Shares], Mapping[str, D]]
) -> bool:
    """Say whether the decision on every tag is the same whatever the remaining samples say.

    Each tag is decided on at both ends of its agreement, with all others at both ends of theirs: log odds are
    linear in a tag's own signal and in the mean over all of them, so nothing between these corners lies outside
    them. A sample that cannot be read leaves agreement between the ends, and so does stopping. Names off the list
    are left out of account (the question's schema admits none), and so is that a candidate may move into, or out
    of, the number that a calibrator looks at.

    Args:
        samples: the samples so far; while none of them can be read the answer is False.
        tags: ids of the tags in the samples' lists.
        remaining: the number of samples to come.
        decide: returns the decision on each tag, given agreements.
    """
    shares = agreement(samples)
    if remaining <= 0:
        return True
    if any(tag not in shares for tag in tags):
        return False
    reach = {tag: ends(*shares[tag], remaining) for tag in tags}
    for tag in tags:
        decisions = {
            decide({**shares, **{one: reach[one][others] for one in tags}, tag: reach[tag][own]})[tag]
            for own, others in product((0, 1), repeat=2)
        }
        if len(decisions) > 1:
            return False
    return True
