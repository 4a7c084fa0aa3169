"""Which candidates are worth a question to the LLM: those that recall is not sure about."""

from collections.abc import Iterable, Mapping

from llm4tag.schema import Recipe

UNCERTAIN_FROM, UNCERTAIN_TO = 0.05, 0.9
"""Recall's confidence between which a candidate is uncertain. On debtags dev a fine-tuned judge that was asked of
these alone, 8 of 10 candidates a document, kept .686 of an F1@5 of .690; .15 to .8 kept .679."""
UNCERTAIN_FROM_BY_WORDS = 0.15
"""The same without history, where fixed weights give the best candidate .5: on ESCO dev 10 of 19 candidates a
document were asked about, and nDCG@10 and log loss were no worse."""


def uncertain(tags: Iterable[str], recall: Mapping[str, float], recipe: Recipe) -> list[str]:
    """Return those of some tags about which recall is not sure, in their order.

    Args:
        tags: ids of candidates.
        recall: their confidence from recall alone.
        recipe: how recall came to it.
    """
    lowest = UNCERTAIN_FROM_BY_WORDS if recipe is Recipe.VOCABULARY else UNCERTAIN_FROM
    return [tag for tag in tags if lowest <= recall[tag] <= UNCERTAIN_TO]
