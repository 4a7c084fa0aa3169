"""Which candidates are worth a question to the LLM: those that recall is not sure about."""

from collections.abc import Iterable, Mapping

UNCERTAIN_FROM, UNCERTAIN_TO = 0.05, 0.9
"""Recall's confidence between which a candidate is uncertain. On debtags dev a fine-tuned judge that was asked of
these alone, 14 of 40 candidates a document, kept .691 of an F1@5 of .697; .15 to .8 kept .685."""


def uncertain(tags: Iterable[str], recall: Mapping[str, float]) -> list[str]:
    """Return those of some tags about which recall is not sure, in their order.

    Args:
        tags: ids of candidates.
        recall: their confidence from recall alone.
    """
    return [tag for tag in tags if UNCERTAIN_FROM <= recall[tag] <= UNCERTAIN_TO]
