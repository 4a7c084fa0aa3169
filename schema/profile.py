"""A profile: what the LLM is told of one kind of content, and how it is asked; a file to copy and change."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PromptWords(BaseModel):
    """The words that prompts are filled in with; the rules of the prompts stand in the templates alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Literal["en", "zh"] = "en"
    """Of the templates."""
    item: str = Field(min_length=1, max_length=80)
    """What a content is called, with its article: "a news article"."""
    fits: str = Field(min_length=1, max_length=200)
    """What a content does to a tag that fits: "mention, require or deal with"."""
    guidance: str = Field(default="", max_length=1000)
    """What is to be minded besides; part of the rules."""


class StepChoices(BaseModel):
    """How the LLM is asked; None leaves it to what was measured."""

    # Their docstrings stand in the JSON schema that a server shows.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples: int | None = Field(default=None, ge=0, le=20)
    """Answers of the generator over shuffled candidate lists; one or two candidates have fewer orders. 0: none.
    None: 0 where a fine-tuned judge is asked, else 3."""
    generate_top: int | None = Field(default=None, ge=1, le=200)
    """Candidates shown to the generator; None: 10 where there is history, 20 where there is none."""
    judge_top: int | None = Field(default=None, ge=0, le=200)
    """Candidates judged yes or no, one question each; None as above, 0: none."""
    judge_unseen: int | None = Field(default=None, ge=0, le=50)
    """Candidates judged besides, whatever recall thinks of them: the best by their own words among tags that came
    after recall was fitted, of which it cannot know. None: 5 where a fine-tuned judge is asked at all, else 0."""
    rating: bool | None = None
    """Ask for the probabilities of these in words, in one question, in place of judging them; None: where the
    model gives no log-probabilities; False: never."""
    cascade: bool | None = None
    """Judge only candidates whose confidence by recall is uncertain, and ask nothing where none is.
    None: where a fine-tuned judge is asked."""
    adaptive: bool | None = None
    """Draw samples one after another, and stop when those to come can change no decision. None: no."""
    examples: int | None = Field(default=None, ge=0, le=10)
    """Similar tagged contents in the prompt. None: 3; 0 where a fine-tuned judge alone is asked and recall
    was not fitted on history."""
    negatives: int | None = Field(default=None, ge=0, le=10)
    """Candidates that look right and that nobody gave to it, named with each similar content. None: 4. A
    fine-tuned judge is shown none."""
    passages: int | None = Field(default=None, ge=0, le=10)
    """Passages of background knowledge in the prompt. None: 1; 0 where a fine-tuned judge alone is asked."""
    max_rounds: int | None = Field(default=None, ge=1, le=5)
    """Recall rounds at most, see ``widen_below``; None: by the recipe, as ``RecallPlan.rounds`` has it."""


class Profile(BaseModel):
    """How one kind of content is tagged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str = Field(min_length=1)
    """For which contents it is, in a line."""
    words: PromptWords
    steps: StepChoices = StepChoices()
