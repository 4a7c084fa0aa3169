"""The options of tagging: everything that a caller can choose, apart from the content."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from llm4tag.schema.candidate import Path
from llm4tag.schema.declaration import Option, Panel
from llm4tag.schema.errors import UsageError, first_fault
from llm4tag.schema.profile import StepChoices
from llm4tag.schema.settings import EnvironmentOptions, Settings, settings

_REVIEW_AT = 0.2


class ParentsRule(StrEnum):
    """What becomes of the parents of accepted tags."""

    AS_LABELLED = "as-labelled"
    ADD = "add"
    ONLY_LEAVES = "only-leaves"


class TagOptions(StepChoices, EnvironmentOptions):
    """How to tag.

    What is None is taken from the environment (LLM4TAG_…), then from the profile, then from the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    within: Annotated[str | None, Option(Panel.TAGGING, metavar="PARENT")] = None
    """Only tags under this parent."""
    without: Annotated[frozenset[Path], Option(Panel.TAGGING)] = frozenset()
    """Paths of recall to leave out."""
    top: Annotated[int, Option(Panel.TAGGING), Field(ge=1, le=1000)] = 50
    """Tags in a result, rejected ones included."""
    # No calibrator and no threshold has a part in this: signals must arise as they did in the calibrator's fit.
    widen_below: Annotated[float, Option(Panel.TAGGING), Field(ge=0, le=1)] = 0.5
    """Start another round of recall while no candidate has this confidence, which is not calibrated here."""
    watched: Annotated[bool, Option(Panel.TAGGING, command_line=False)] = False
    """Stream, with each stage, what it found out about the tags, and the texts behind the evidence. The result is
    the same."""
    accept_at: Annotated[float, Option(Panel.DECISIONS), Field(ge=0, le=1)] = 0.5
    """Confidence from which a tag is accepted, where ``max_error`` is not given."""
    review_at: Annotated[float | None, Option(Panel.DECISIONS), Field(ge=0, le=1)] = None
    """Confidence from which a tag is to be reviewed by a person. Default: 0.2, or ``accept_at`` where that is
    lower."""
    parents: Annotated[ParentsRule, Option(Panel.DECISIONS)] = ParentsRule.AS_LABELLED
    """Parents of accepted tags: ``add`` accepts them too, ``only-leaves`` rejects them, ``as-labelled`` decides
    on each tag by its own confidence, which follows how history was tagged."""
    uncalibrated: Annotated[bool, Option(Panel.DECISIONS)] = False
    """Ignore the store's calibrator."""
    use_llm: Annotated[bool, Option(Panel.LLM)] = True
    """Ask an LLM about the candidates; without it, tags come from recall alone."""

    @field_validator("review_at")
    @classmethod
    def _not_above_accept_at(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and value > info.data.get("accept_at", value):
            raise ValueError(f"must not be above the confidence for accepting ({info.data['accept_at']})")
        return value

    @field_validator("uncalibrated")
    @classmethod
    def _not_with_max_error(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("max_error") is not None:
            raise ValueError("contradicts a limit of the error, which needs the calibrator")
        return value

    @classmethod
    def checked(cls, **chosen: Any) -> Self:
        """Return the options.

        Raises:
            UsageError: an option does not exist or has a wrong value.
        """
        try:
            return cls(**chosen)
        except ValidationError as error:
            raise wrong_option(error) from error

    @property
    def reviewed_from(self) -> float:
        """Confidence from which a tag is to be reviewed."""
        return min(_REVIEW_AT, self.accept_at) if self.review_at is None else self.review_at


def resolved(options: TagOptions) -> Settings:
    """Return the settings of a run: the options that are given, else the environment, else the defaults.

    It reads the environment, so it is called once, by whoever opens a store and a model.

    Raises:
        UsageError: a variable of the environment has a wrong value.
    """
    return settings(**{name: getattr(options, name) for name in EnvironmentOptions.model_fields})


def wrong_option(error: ValidationError) -> UsageError:
    """Return what is wrong with the first of the options that are."""
    fault = first_fault(error)
    option = fault.field.partition(".")[0] or "?"
    return UsageError(fault.words, option=option, remedy="give another value, or leave it out")


def contents_at_once(*, use_llm: bool, local: bool) -> int:
    """Return how many contents to work at together, where the caller does not say it.

    A local model remembers what it read of one content: with two at once it reads both again for each question.

    Args:
        use_llm: whether an LLM is asked.
        local: whether it runs on this machine.
    """
    if not use_llm:
        return 2
    return 1 if local else 8
