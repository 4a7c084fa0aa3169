"""The card of a fine-tuned judge, ``adapter.json``: its base, its weights, its prompt forms, its training."""

from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

CARD_FILE = "adapter.json"
TRAINED_FORM = "prompt"
"""Name of the prompt form that an adapter was trained with."""

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _bare(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError("must be the name of a file in the folder of adapter.json")
    return name


def _template(*slots: str) -> AfterValidator:
    """Allow the named slots alone, written plainly: ``{text}``, no attributes, formats or conversions."""

    def check(value: str) -> str:
        for _, slot, form, conversion in Formatter().parse(value):
            if slot is not None and (slot not in slots or form or conversion):
                known = ", ".join(f"{{{one}}}" for one in slots)
                raise ValueError(f"unknown slot {{{slot}}}; known here: {known} ({{{{ and }}}} are plain braces)")
        return value

    return AfterValidator(check)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AdapterBase(_Part):
    """The model file that an adapter was trained on."""

    model: str
    """The name of the model, for people."""
    file: str
    sha256: _Sha256


class AdapterWeights(_Part):
    """The trained matrices: two for each projection of each layer."""

    file: Annotated[str, AfterValidator(_bare)]
    sha256: _Sha256
    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    targets: tuple[str, ...] = Field(min_length=1)
    """Projections, such as ``q_proj``."""


class MergedModel(_Part):
    """A model file that has the adapter in its weights: it is loaded without the adapter."""

    file: Annotated[str, AfterValidator(_bare)]
    sha256: _Sha256


class AdapterAnswer(_Part):
    """The two first tokens whose logits are compared."""

    yes: str = Field(min_length=1)
    no: str = Field(min_length=1)
    logit: str = ""
    """How they are compared, in words."""


class JudgeForm(_Part):
    """A prompt form: a system message, and a user message of content, similar items and tag."""

    system: str
    content: Annotated[str, _template("text")]
    similar_header: str = ""
    similar_line: Annotated[str, _template("first_line", "tag_ids", "tag_names")] = ""
    """The line for each similar content; empty: none are shown."""
    tag: Annotated[str, _template("id", "name", "description")]


class AdapterLimits(_Part):
    """How much the prompt holds, as in training: characters of each text, and the number of similar contents."""

    text: int = Field(ge=1)
    similar: int = Field(default=0, ge=0)
    similar_first_line: int = Field(default=120, ge=1)
    description: int = Field(ge=0)


class AdapterCard(_Part):
    """The description of an adapter, in its folder."""

    name: str = Field(min_length=1)
    kind: Literal["yes/no judge, LoRA"]
    base: AdapterBase
    adapter: AdapterWeights
    merged: MergedModel | None = None
    """The merged model; the matrices themselves are not in this folder then."""
    trained_on: dict[str, JsonValue]
    """Training sets, numbers of contents and passes, seeds, …, in the form in which the trainer writes them."""
    licence: str
    answer: AdapterAnswer
    prompt: JudgeForm
    """The prompt form that it was trained with."""
    forms_that_travelled: dict[str, JudgeForm] = Field(default_factory=dict)
    """Prompt forms that were measured on vocabularies that it had not seen, by name."""
    default_form: str = TRAINED_FORM
    """Name of the prompt form that is used where none is chosen."""
    limits: AdapterLimits

    @model_validator(mode="after")
    def _forms_by_name(self) -> Self:
        if TRAINED_FORM in self.forms_that_travelled:
            raise ValueError(f"forms_that_travelled: {TRAINED_FORM!r} is the trained form's name; rename it")
        if self.default_form not in self.forms:
            raise ValueError(f"default_form: no form {self.default_form!r}; there are {', '.join(self.forms)}")
        return self

    @property
    def forms(self) -> dict[str, JudgeForm]:
        """All prompt forms by name, the trained one first."""
        return {TRAINED_FORM: self.prompt, **self.forms_that_travelled}
