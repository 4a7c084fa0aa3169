"""A profile: in which words the LLM is asked about one kind of content, and how; a file to copy and change."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema.declaration import Option, Panel


class PromptWords(BaseModel):
    """The words that prompts are filled in with; the rules of the prompts are in the templates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Literal["en", "zh"] = "en"
    """Language of the templates."""
    item: str = Field(min_length=1, max_length=80)
    """What a content is called, with its article: "a news article"."""
    fits: str = Field(min_length=1, max_length=200)
    """What a content does to a tag that fits: "mention, require or deal with"."""
    guidance: str = Field(default="", max_length=1000)
    """What else is to be considered; it becomes part of the rules."""


class StepChoices(BaseModel):
    """How the LLM is asked; None leaves it to the default that measurements gave."""

    # The JSON schema that a server shows has these docstrings.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples: Annotated[int | None, Option(Panel.LLM), Field(ge=0, le=20)] = None
    """How often the LLM chooses from the candidates, each time in another order. 0: never. Default: 3; 0 with a
    fine-tuned judge."""
    generate_top: Annotated[int | None, Option(Panel.LLM_DETAILS), Field(ge=1, le=200)] = None
    """Candidates that the LLM chooses from (``samples``). Default: 10 where the store has tagged history, else
    20."""
    judge_top: Annotated[int | None, Option(Panel.LLM), Field(ge=0, le=200)] = None
    """Candidates that the LLM judges, one question each, answered with yes or no. 0: none. Default: 10 where the
    store has tagged history, else 20."""
    judge_unseen: Annotated[int | None, Option(Panel.LLM_DETAILS), Field(ge=0, le=50)] = None
    """Candidates to judge in addition, among the tags that are newer than recall's fit: those whose own words fit
    best. Default: 5 with a fine-tuned judge, else 0."""
    rating: Annotated[bool | None, Option(Panel.LLM)] = None
    """Ask for the probabilities of all candidates in words, in one question, instead of judging each. Default:
    where the model returns no log-probabilities."""
    cascade: Annotated[bool | None, Option(Panel.LLM)] = None
    """Judge only the candidates that recall is unsure of, and do not ask the LLM at all where there are none.
    Default: with a fine-tuned judge."""
    adaptive: Annotated[bool | None, Option(Panel.LLM)] = None
    """Draw the ``samples`` one after another, and stop when no further one can change a decision. Default: no."""
    examples: Annotated[int | None, Option(Panel.LLM_DETAILS), Field(ge=0, le=10)] = None
    """Similar tagged contents in the prompt. Default: 3; 0 where only a fine-tuned judge is asked and recall was
    not fitted on history."""
    negatives: Annotated[int | None, Option(Panel.LLM_DETAILS), Field(ge=0, le=10)] = None
    """Tags named with each similar content that look right for it but were not given to it. A fine-tuned judge is
    shown none. Default: 4."""
    passages: Annotated[int | None, Option(Panel.LLM_DETAILS), Field(ge=0, le=10)] = None
    """Passages of background knowledge in the prompt. Default: 1; 0 where only a fine-tuned judge is asked."""
    max_rounds: Annotated[int | None, Option(Panel.TAGGING), Field(ge=1, le=5)] = None
    """Rounds of recall at most; see ``widen_below``. Default: 1 where a fusion was fitted on history, else 2."""


class Profile(BaseModel):
    """How one kind of content is tagged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str = Field(min_length=1)
    """Which contents it is for, in one line."""
    words: PromptWords
    steps: StepChoices = StepChoices()
