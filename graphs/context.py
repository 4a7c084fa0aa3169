"""What a caller can choose, beside the content: the graph's context."""

from functools import cached_property
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from llm4tag.models.local.known_models import LOCAL
from llm4tag.schema import Path, Recipe, Settings, UsageError, settings
from llm4tag.schema.errors import first_fault
from llm4tag.schema.profile import StepChoices

_REVIEW_AT = 0.2


class TagOptions(StepChoices):
    """How to tag, the steps of the LLM included.

    What is None comes from the environment (LLM4TAG_…), then from the profile, then from the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    store: str | None = None
    """Path of an embedded store."""
    embedding: str | None = None
    """Embedding model to expect; None takes what the store was filled with."""
    model: str | None = None
    """``local/NAME`` or any LiteLLM model."""
    api_base: str | None = None
    adapter: str | None = None
    """Folder of a fine-tuned judge for a local model, ``general``, or ``none``; see ``Settings``."""
    judge_form: str | None = None
    """Prompt form of the adapter; None: its card's default."""
    profile: str | None = None
    """For which kind of content the LLM is asked: a name, or the path of a TOML file (``schema.profile``)."""
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
    widen_below: float = Field(default=0.5, ge=0, le=1)
    """Another round starts while no candidate's uncalibrated confidence reaches this. Neither a calibrator nor the
    thresholds have a part in it: signals must come about as they did when the calibrator was fitted."""
    uncalibrated: bool = False
    """Leave the store's calibrator aside."""
    max_error: float | None = Field(default=None, gt=0, lt=1)
    """Accept as many tags as the store's calibrator allows with at most this share of wrong ones among them."""
    accept_at: float = Field(default=0.5, ge=0, le=1)
    """Confidence from which a tag is accepted, where there is no ``max_error``."""
    review_at: float | None = Field(default=None, ge=0, le=1)
    """Confidence from which a tag is put to review; None: 0.2, or ``accept_at`` where that is lower."""
    watched: bool = False
    """Stream with each stage what it knows of the tags, and the texts behind the evidence (``graphs.telling``).
    The result is the same."""

    @field_validator("review_at")
    @classmethod
    def _below_accept_at(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and value > info.data.get("accept_at", value):
            raise ValueError(f"must not be above accept_at ({info.data['accept_at']})")
        return value

    @field_validator("max_error")
    @classmethod
    def _calibrated(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("uncalibrated"):
            raise ValueError("needs the calibrator that 'uncalibrated' leaves aside")
        return value

    @classmethod
    def checked(cls, **chosen: Any) -> Self:
        """Return the options.

        Raises:
            UsageError: one that does not exist or has a wrong value.
        """
        try:
            return cls(**chosen)
        except ValidationError as error:
            raise wrong_option(error) from error

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
            adapter=self.adapter,
            judge_form=self.judge_form,
            answer_cache=self.answer_cache,
            profile=self.profile,
            recipe=self.recipe,
            max_error=self.max_error,
        )

    @property
    def reviewed_from(self) -> float:
        """Confidence from which a tag is put to review."""
        return min(_REVIEW_AT, self.accept_at) if self.review_at is None else self.review_at

    @property
    def target_error(self) -> float | None:
        """Share of wrong tags among the accepted ones, at most; None: confidence decides."""
        return None if self.uncalibrated else self.settings().max_error

    @property
    def at_once(self) -> int:
        """How many contents to work at together, where the caller does not say.

        A local model keeps what it read of one content: two at once make it read both again for each question
        (measured: 55 against 20 s a document).
        """
        if not self.use_llm:
            return 2
        return 1 if self.settings().model.startswith(LOCAL) else 8


def wrong_option(error: ValidationError) -> UsageError:
    """Return what is wrong with the first option that is, in a line."""
    fault = first_fault(error)
    return UsageError(f"option {fault.field.partition('.')[0] or '?'!r}: {fault.words}; give another")
