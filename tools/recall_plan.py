"""The plan of a recall round: how widely each path looks.

Weights and depths were measured on debtags dev (with history) and ESCO dev (without).
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import Path

ALL_PATHS = frozenset({Path.C2T, Path.C2C2T, Path.LINEAR, Path.T2T})

MOST_PARTS = 32
_PARTS_BY_NOVELTY = 80
_FEWEST_PARTS = 4
"""Fewer parts are not worth an embedding each."""
_LITTLE_HISTORY = 20


class RecallPlan(BaseModel):
    """One round of recall."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int = Field(default=1, ge=1)
    paths: frozenset[Path] = ALL_PATHS
    """The paths that may be followed."""
    neighbours: int = Field(default=100, ge=1)
    """The number of similar contents that C2C2T looks at."""
    sharpness: float = Field(default=2.0, gt=0)
    """A similar content weighs (its similarity / the highest similarity) to this power."""
    content_alpha: float = Field(default=0.6, ge=0, le=1)
    """Share of the vector leg in the search for similar contents."""
    vector_weight: float = Field(default=2.0, ge=0)
    """Weight of the vector leg in C2T's score, where the keyword leg has 1."""
    phrase_weight: float = Field(default=1.5, ge=0)
    """Weight of a name that occurs in the text word for word, where the keyword leg has 1."""
    coverage_weight: float = Field(default=1.0, ge=0)
    """Weight of a name most of whose words occur near each other in the text."""
    parts: int = Field(default=MOST_PARTS, ge=0)
    """The number of parts of the content that are searched by vector in addition to the whole."""
    depth: int = Field(default=200, ge=1)
    """The number of hits of each search of C2T."""
    cap_own: int = Field(default=100, ge=1)
    """The number of candidates that C2T may give."""
    cap: int = Field(default=200, ge=1)
    """The number of candidates that each other path may give."""
    asked: int = Field(default=20, ge=0)
    """The number of candidates that the LLM is asked about, unless the caller chooses. With history its answers
    move little, so only the first candidates can change; without history they lead."""
    rounds: int = Field(default=1, ge=1)
    """The most rounds, unless the caller chooses."""

    @classmethod
    def first(cls, contents: int, novelty: float, paths: frozenset[Path] = ALL_PATHS) -> Self:
        """Return the plan of the first round.

        Args:
            contents: the number of contents that people have tagged.
            novelty: see ``HistoryFacts.novelty``. The more tags history has, the less the parts of a content find.
            paths: the paths that may be followed.
        """
        parts = min(MOST_PARTS, round(_PARTS_BY_NOVELTY * novelty))
        return cls(
            paths=paths,
            parts=parts if parts >= _FEWEST_PARTS else 0,
            asked=10 + round(10 / (1 + contents / _LITTLE_HISTORY)),
        )

    def follows(self, path: Path) -> bool:
        """Return whether a path is followed: T2T starts from candidates, so not in the first round."""
        return path in self.paths and (path is not Path.T2T or self.round > 1)

    def wider(self) -> Self:
        """Return the plan of the next round: twice the neighbours, more weight on words, T2T, deeper."""
        return self.model_copy(
            update={
                "round": self.round + 1,
                "neighbours": self.neighbours * 2,
                "content_alpha": 0.3 if self.content_alpha >= 0.5 else 0.6,
                "parts": max(self.parts, MOST_PARTS),
                "depth": self.depth * 2,
            }
        )
