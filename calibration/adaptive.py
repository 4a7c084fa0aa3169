"""When further samples of the generator can change nothing any more."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TypeVar

from llm4tag.calibration.agreement import Sample, agreement

Shares = Mapping[str, tuple[float, int]]
"""Agreement and the number of samples it is of, by tag id."""
D = TypeVar("D")


def ends(share: float, answered: int, remaining: int) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return the least and the most agreement there can be after ``remaining`` more samples.

    Args:
        share: of the samples so far that named the tag.
        answered: how many samples that is of.
        remaining: samples still to come.
    """
    named, total = round(share * answered), answered + remaining
    return (named / total, total), ((named + remaining) / total, total)


def settled(
    samples: Sequence[Sample], tags: Sequence[str], remaining: int, decide: Callable[[Shares], Mapping[str, D]]
) -> bool:
    """Say whether the decision on every tag is the same whatever the remaining samples say.

    Each tag is decided on at both ends of its agreement, with all others at both ends of theirs: log odds are
    linear in a tag's own signal and in the mean over all of them, so nothing between these corners lies outside
    them. A sample that cannot be read leaves agreement between the ends, and so does stopping. Names off the list
    are left out of account (the question's schema admits none), and so is that a candidate may move into, or out
    of, the number that a calibrator looks at.

    Args:
        samples: so far; False while none of them can be read.
        tags: ids of those that the samples were asked about.
        remaining: samples still to come.
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
