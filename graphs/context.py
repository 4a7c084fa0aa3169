"""What a caller can choose, beside the content: the graph's context."""

from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from models.cost import LOCAL
from schema import Path, Recipe, Settings, settings


class TagOptions(BaseModel):
    """How to tag. What is None comes from the environment (LLM4TAG_…), then from the defaults of Settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str | None = None
    """Path of an embedded store."""
    embedding: str | None = None
    """Embedding model to expect; None takes what the store was filled with."""
    model: str | None = None
    """``local/NAME`` or any LiteLLM model."""
    api_base: str | None = None
    use_llm: bool = True
    """False tags from recall alone."""
    answer_cache: bool | None = None
    """False asks the LLM again though the answer is known."""
    within: str | None = None
    """Only tags under this parent."""
    recipe: Recipe | None = None
    """How the recall paths are weighed; None: by what the store holds."""
    without: frozenset[Path] = frozenset()
    """Recall paths that are not followed."""
    top: int = Field(default=50, ge=1, le=1000)
    """Tags in a result, rejected candidates included."""
    max_rounds: int = Field(default=2, ge=1, le=5)
    """Recall rounds at most; another one starts while nothing is accepted."""
    samples: int = Field(default=3, ge=1, le=20)
    """Answers of the generator over shuffled candidate lists."""
    generate_top: int | None = Field(default=None, ge=1, le=200)
    """Candidates shown to the generator; None: 10 where there is history, 20 where there is none."""
    judge_top: int | None = Field(default=None, ge=0, le=200)
    """Candidates judged yes or no, one question each; None as above."""
    examples: int = Field(default=3, ge=0, le=10)
    """Similar tagged contents in the prompt."""
    passages: int = Field(default=1, ge=0, le=10)
    """Passages of background knowledge in the prompt."""
    accept_at: float = Field(default=0.5, ge=0, le=1)
    """Confidence from which a tag is accepted."""
    review_at: float = Field(default=0.2, ge=0, le=1)
    """Confidence from which a tag is put to review."""

    def settings(self) -> Settings:
        """Return the settings with what was chosen here over the environment over the defaults.

        The environment is read once: under a profiler, reading it for every node took more than any recall path.
        """
        return self._settings

    @cached_property
    def _settings(self) -> Settings:
        return settings(
            store=self.store,
            embedding=self.embedding,
            model=self.model,
            api_base=self.api_base,
            answer_cache=self.answer_cache,
            recipe=self.recipe,
        )

    @property
    def at_once(self) -> int:
        """How many contents to work at together, where the caller does not say.

        A local model keeps what it read of one content: two at once make it read both again for each question
        (measured: 55 against 20 s a document).
        """
        if not self.use_llm:
            return 2
        return 1 if self.settings().model.startswith(LOCAL) else 8
