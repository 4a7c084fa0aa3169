"""Which recipe a content is tagged by: it follows from what the store holds, unless the caller says."""

from llm4tag.schema import Path, Recipe, UsageError
from llm4tag.tools.fitted_recall import FittedRecall
from llm4tag.tools.plan import ALL_PATHS, RecallPlan


def first_plan(
    tagged_contents: int, fitted: FittedRecall | None, recipe: Recipe | None, without: frozenset[Path]
) -> RecallPlan:
    """Plan the first round.

    Args:
        tagged_contents: how many contents humans have tagged.
        fitted: what was fitted on them.
        recipe: what the caller wants; None: the fusion where one was fitted on paths that are all to be followed,
            fixed weights otherwise.
        without: paths that are not to be followed.

    Raises:
        UsageError: the fitted fusion is wanted, and there is none that fits.
    """
    paths = ALL_PATHS - without
    if fitted is None:
        paths -= {Path.LINEAR}
    fusion = fitted.fusion if fitted else None
    usable = fusion is not None and fusion.note.paths - {Path.T2T} <= paths
    if recipe is Recipe.LEARNED and not usable:
        why = "none was fitted" if fusion is None else "it was fitted with paths that are switched off"
        raise UsageError(
            f"--recipe learned: {why}; run `llm4tag store fit`, or leave the recipe to what the store holds"
        )
    if usable and fusion is not None and recipe in (None, Recipe.LEARNED):
        return RecallPlan.first(tagged_contents, Recipe.LEARNED, fusion.note.paths & paths)
    return RecallPlan.first(tagged_contents, recipe, paths)
