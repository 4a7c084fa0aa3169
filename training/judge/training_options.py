"""The options of a judge's training."""

from pydantic import BaseModel, ConfigDict, Field


class TrainOptions(BaseModel):
    """The options that the result depends on; the defaults were measured on debtags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passes: int = Field(default=1, ge=1)
    """How often each content is trained on."""
    batch: int = Field(default=8, ge=1)
    """How many contents are in one step."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """The highest learning rate of AdamW, at the end of the warm-up; then it falls linearly to 0."""
    warm_up: float = Field(default=0.05, ge=0, lt=1)
    """The share of the steps in which the learning rate rises."""
    answer_weight: float = Field(default=0.1, ge=0)
    """Weight of -log(P(Yes) + P(No)) in the loss, in addition to the cross-entropy of the two answers."""
    rank: int = Field(default=16, ge=1)
    """Rank of the LoRA matrices."""
    alpha: float = Field(default=32.0, gt=0)
    """Scale of the LoRA matrices: their product is multiplied by alpha / rank."""
    measures: int = Field(default=10, ge=1)
    """How often held-out contents are judged, in addition to the measurement before training."""
    measure_on: int = Field(default=200, ge=1)
    """How many held-out contents are judged at most, the same ones each time."""
    patience: int = Field(default=3, ge=1)
    """After this many measurements in a row without a lower held-out log loss, training stops."""
    seed: int = 0
    """Seed of the matrices, the order of contents and the number of similar items."""

    def steps(self, contents: int) -> int:
        """Return how many steps a training on that many contents has."""
        return self.passes * self.steps_a_pass(contents)

    def steps_a_pass(self, contents: int) -> int:
        """Return how many batches one pass has; the last one may be smaller."""
        return -(-contents // self.batch)

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the highest learning rate at a step, counted from 0."""
        warm = max(1, round(self.warm_up * steps))
        return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1), 1.0)

    def measured_at(self, step: int, steps: int) -> bool:
        """Return whether held-out contents are judged after ``step`` batches."""
        return step in {round(steps * number / self.measures) for number in range(self.measures + 1)}
