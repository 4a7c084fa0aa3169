"""How a judge is trained."""

from pydantic import BaseModel, ConfigDict, Field


class TrainOptions(BaseModel):
    """Choices that the result depends on; defaults as measured on debtags (docs/training.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passes: int = Field(default=1, ge=1)
    """Over all trained contents."""
    batch: int = Field(default=8, ge=1)
    """Contents a step."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Of AdamW, reached after the warm-up; from there it falls to 0 in a line."""
    warm_up: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps."""
    answer_weight: float = Field(default=0.1, ge=0)
    """Of -log(P(Yes) + P(No)) beside the cross-entropy of the two."""
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    measures: int = Field(default=10, ge=1)
    """Measurements on held-out contents, besides the one before training."""
    measure_on: int = Field(default=200, ge=1)
    """Held-out contents at most, the same each time."""
    patience: int = Field(default=3, ge=1)
    """Measurements in a row without less held-out log loss, after which training stops."""
    seed: int = 0

    def steps(self, contents: int) -> int:
        """Return how many steps there are with so many trained contents."""
        return self.passes * self.steps_a_pass(contents)

    def steps_a_pass(self, contents: int) -> int:
        """Return how many batches one pass has, the last perhaps smaller."""
        return -(-contents // self.batch)

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the learning rate at a step, from 0."""
        warm = max(1, round(self.warm_up * steps))
        return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1), 1.0)

    def measured_at(self, step: int, steps: int) -> bool:
        """Return whether held-out contents are to be judged once ``step`` batches are behind it."""
        return step in {round(steps * number / self.measures) for number in range(self.measures + 1)}
