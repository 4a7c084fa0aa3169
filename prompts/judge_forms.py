"""Prompt forms that a judge can be trained with, and files that hold another."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llm4tag.schema import UsageError
from llm4tag.schema.adapter_card import AdapterLimits, JudgeForm
from llm4tag.schema.errors import first_fault

_SYSTEM = "You check tags for a catalogue. Answer only Yes or No."
_CONTENT = "Item:\n{text}\n"
_QUESTION = "Does this tag apply to the item?"


class PromptForm(BaseModel):
    """A prompt form with its limits; the fields that ``adapter.json`` has too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: JudgeForm
    limits: AdapterLimits


LIMITS = AdapterLimits(text=1500, similar=3, similar_first_line=120, description=160)
FORMS = {
    "ids": JudgeForm(
        system=_SYSTEM,
        content=_CONTENT,
        similar_header="\nSimilar items and the tags people gave them:\n",
        similar_line="- {first_line}: {tag_ids}\n",
        tag=f"\nTag: {{id}} ({{name}}). {{description}}\n{_QUESTION}",
    ),
    "generic": JudgeForm(system=_SYSTEM, content=_CONTENT, tag=f"\nTag: {{name}}. {{description}}\n{_QUESTION}"),
    "names": JudgeForm(system=_SYSTEM, content=_CONTENT, tag=f"\nTag: {{name}}\n{_QUESTION}"),
}
"""By name: with ids and similar items, as for a vocabulary that the judge is to know; without, to carry over."""


def prompt_form(name: str) -> tuple[str, PromptForm]:
    """Return a form and its name: one of ``FORMS``, or that of a ``.json`` file, such as an adapter's card.

    Raises:
        UsageError: there is no such form, or the file holds none.
    """
    if name in FORMS:
        return name, PromptForm(prompt=FORMS[name], limits=LIMITS)
    path = Path(name)
    if path.suffix != ".json":
        raise UsageError(
            f"there is no prompt form {name!r}",
            option="form",
            remedy=f"give one of {', '.join(FORMS)}, or a .json file with the fields prompt and limits",
        )
    try:
        return path.absolute().parent.name if path.name == "adapter.json" else path.stem, (
            PromptForm.model_validate_json(path.read_bytes())
        )
    except OSError as error:
        raise UsageError(
            f"it cannot be read ({error.strerror})", where=name, option="form", remedy="check the path"
        ) from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            fault.message,
            where=f"{name}: field '{fault.field or 'the whole'}'",
            remedy="correct it",
        ) from error
