"""The plan of a recall round: how widely each path looks, and how the paths are weighed.

Weights and depths were measured on debtags dev (with history) and ESCO dev (without).
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import Path, Recipe, UsageError
from llm4tag.tools.artifacts import RecallFit

ALL_PATHS = frozenset({Path.C2T, Path.C2C2T, Path.LINEAR, Path.T2T})


class RecallPlan(BaseModel):
    """One round of recall."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int = Field(default=1, ge=1)
    recipe: Recipe = Recipe.HISTORY
    paths: frozenset[Path] = ALL_PATHS
    """The paths that may be followed."""
    neighbours: int = Field(default=100, ge=1)
    """The number of similar contents that C2C2T looks at."""
    sharpness: float = Field(default=2.0, gt=0)
    """A similar content weighs (its similarity / the highest similarity) to this power."""
    content_alpha: float = Field(default=0.6, ge=0, le=1)
    """Share of the vector leg in the search for similar contents."""
    vector_weight: float = Field(default=2.0, ge=0)
    """Weight of the vector leg of C2T, where the keyword leg has 1."""
    phrase_weight: float = Field(default=1.5, ge=0)
    """Weight of a name that occurs in the text word for word, where the keyword leg has 1."""
    coverage_weight: float = Field(default=0.0, ge=0)
    """Weight of a name most of whose words occur near each other in the text."""
    tag_sharpness: float = Field(default=1.0, gt=0)
    """C2T's relative scores are taken to this power: 2 prevents that its weak tail displaces C2C2T's."""
    parts: int = Field(default=32, ge=0)
    """The number of parts of the content that are searched by vector in addition to the whole."""
    depth: int = Field(default=200, ge=1)
    """The number of hits of each search of C2T."""
    weight_c2t: float = Field(default=0.3, ge=0)
    weight_c2c2t: float = Field(default=1.0, ge=0)
    weight_linear: float = Field(default=1.0, ge=0)
    weight_t2t: float = Field(default=0.0, ge=0)
    """0 leaves T2T out: with history it costs precision (measured), so it starts in the second round."""
    cap: int = Field(default=100, ge=1)
    """The number of candidates that each path may give."""
    asked: int = Field(default=10, ge=0)
    """The number of candidates that the LLM is asked about, unless the caller chooses. With history its answers
    move little, so only the first candidates can change; without history they lead."""
    rounds: int = Field(default=2, ge=1)
    """The most rounds, unless the caller chooses."""

    @classmethod
    def first(cls, tagged_contents: int, recipe: Recipe | None = None, paths: frozenset[Path] = ALL_PATHS) -> Self:
        """Return the plan of the first round.

        Args:
            tagged_contents: the number of contents that people have tagged.
            recipe: how to weigh the paths; None: by whether there is history.
            paths: the paths that may be followed.
        """
        recipe = recipe or (Recipe.HISTORY if tagged_contents else Recipe.VOCABULARY)
        if recipe is Recipe.VOCABULARY:
            weights = {"weight_c2t": 1.0, "weight_c2c2t": 0.0, "weight_linear": 0.0, "coverage_weight": 1.0}
            return cls(recipe=recipe, paths=paths, asked=20, **weights)
        # The fewer tagged contents, the more the tags' own words are worth.
        weight = min(1.0, max(0.25, 12.0 / max(1, tagged_contents) ** 0.5))
        plan = cls(recipe=recipe, paths=paths, weight_c2t=weight, tag_sharpness=2.0, parts=0)
        if recipe is Recipe.LEARNED:
            # The fusion sorts the long tail out, and a wider round gains it nothing.
            return plan.model_copy(update={"cap": 200, "rounds": 1})
        return plan

    def weight(self, path: Path) -> float:
        """Return the weight of a path's relative scores; 0 where the path may not be followed."""
        weights = {
            Path.C2T: self.weight_c2t,
            Path.C2C2T: self.weight_c2c2t,
            Path.LINEAR: self.weight_linear,
            Path.T2T: self.weight_t2t,
        }
        return weights[path] if path in self.paths else 0.0

    def wider(self) -> Self:
        """Return the plan of the next round: twice the neighbours, more weight on words, T2T, deeper."""
        return self.model_copy(
            update={
                "round": self.round + 1,
                "neighbours": self.neighbours * 2,
                "content_alpha": 0.3 if self.content_alpha >= 0.5 else 0.6,
                "parts": max(self.parts, 32),
                "depth": self.depth * 2,
                "weight_t2t": 0.1,
            }
        )


def first_plan(
    tagged_contents: int, fit: RecallFit | None, recipe: Recipe | None, without: frozenset[Path]
) -> RecallPlan:
    """Return the plan of the first round.

    Args:
        tagged_contents: the number of contents that people have tagged.
        fit: the store's fit of recall; None where there is none.
        recipe: how to weigh the paths; None: by the fitted fusion where all paths that it weighs may be followed,
            else by fixed weights.
        without: paths that may not be followed.

    Raises:
        UsageError: the recipe is ``learned``, and no fitted fusion can be used.
    """
    paths = ALL_PATHS - without
    if fit is None:
        paths -= {Path.LINEAR}
    fusion = fit.fusion if fit else None
    usable = fusion is not None and fusion.note.paths - {Path.T2T} <= paths
    if recipe is Recipe.LEARNED and not usable:
        why = "none was fitted" if fusion is None else "it was fitted with paths that are switched off"
        raise UsageError(
            f"'{Recipe.LEARNED}' needs a fitted fusion, and {why}",
            option="recipe",
            remedy="{fit_recall}, or leave {recipe} to what the store holds",
        )
    if usable and fusion is not None and recipe in (None, Recipe.LEARNED):
        return RecallPlan.first(tagged_contents, Recipe.LEARNED, fusion.note.paths & paths)
    return RecallPlan.first(tagged_contents, recipe, paths)
