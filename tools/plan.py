"""How widely a recall round looks, and how its paths are weighed.

Weights and depths were measured on debtags dev (history) and ESCO dev (no history); see docs/recall.md.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import Path, Recipe

ALL_PATHS = frozenset({Path.C2T, Path.C2C2T, Path.LINEAR, Path.T2T})


class RecallPlan(BaseModel):
    """One round of recall."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int = Field(default=1, ge=1)
    recipe: Recipe = Recipe.HISTORY
    paths: frozenset[Path] = ALL_PATHS
    """The paths that may be followed."""
    neighbours: int = Field(default=100, ge=1)
    """How many similar contents C2C2T looks at."""
    sharpness: float = Field(default=2.0, gt=0)
    """Neighbours weigh (similarity / top similarity) to this power."""
    content_alpha: float = Field(default=0.6, ge=0, le=1)
    """Share of the vector leg in the search for similar contents."""
    vector_weight: float = Field(default=2.0, ge=0)
    """Weight of the vector leg of C2T beside the keyword leg's 1."""
    phrase_weight: float = Field(default=1.5, ge=0)
    """What a name that stands in the text word for word adds, beside the keyword leg's 1."""
    coverage_weight: float = Field(default=0.0, ge=0)
    """What a name that stands in the text all but whole, its words near each other, adds."""
    tag_sharpness: float = Field(default=1.0, gt=0)
    """C2T's relative scores are taken to this power: 2 keeps its weak tail from pushing C2C2T's out."""
    parts: int = Field(default=32, ge=0)
    """How many parts of the content are searched by vector beside the whole; 0: the whole alone."""
    depth: int = Field(default=200, ge=1)
    """Hits fetched by each search of C2T."""
    weight_c2t: float = Field(default=0.3, ge=0)
    weight_c2c2t: float = Field(default=1.0, ge=0)
    weight_linear: float = Field(default=1.0, ge=0)
    weight_t2t: float = Field(default=0.0, ge=0)
    """0 leaves T2T out: on a warm corpus it costs precision (measured), so it comes with the second round."""
    cap: int = Field(default=100, ge=1)
    """Candidates kept of each path."""
    asked: int = Field(default=10, ge=0)
    """Candidates that the LLM is asked about, unless the caller says how many. With history its answers move
    little, so only the head of the list can change; without, they lead."""
    rounds: int = Field(default=2, ge=1)
    """Rounds at most, unless the caller says how many."""

    @classmethod
    def first(cls, tagged_contents: int, recipe: Recipe | None = None, paths: frozenset[Path] = ALL_PATHS) -> Self:
        """Return the plan of the first round.

        Args:
            tagged_contents: how many contents humans have tagged.
            recipe: how to weigh the paths; None: by the history there is.
            paths: those that may be followed.
        """
        recipe = recipe or (Recipe.HISTORY if tagged_contents else Recipe.VOCABULARY)
        if recipe is Recipe.VOCABULARY:
            weights = {"weight_c2t": 1.0, "weight_c2c2t": 0.0, "weight_linear": 0.0, "coverage_weight": 1.0}
            return cls(recipe=recipe, paths=paths, asked=20, **weights)
        # The fewer tagged contents, the more the tags' own words are worth.
        weight = min(1.0, max(0.25, 12.0 / max(1, tagged_contents) ** 0.5))
        plan = cls(recipe=recipe, paths=paths, weight_c2t=weight, tag_sharpness=2.0, parts=0)
        if recipe is Recipe.LEARNED:
            # The fusion sorts the long tail out, where fixed weights were measured with 100, and a wider round
            # gains it nothing: see docs/recall.md.
            return plan.model_copy(update={"cap": 200, "rounds": 1})
        return plan

    def weight(self, path: Path) -> float:
        """Return what a path's relative scores weigh; 0 where it is not to be followed."""
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
