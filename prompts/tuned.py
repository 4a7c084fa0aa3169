"""The question to a fine-tuned judge, in the very words that it was trained with."""

from collections.abc import Sequence

from llm4tag.models.language_model import Message
from llm4tag.prompts.rendering import Example, PromptContext, unmarked
from llm4tag.schema import Tag
from llm4tag.schema.adapter_card import AdapterLimits, JudgeForm


def tuned_judgement_messages(
    context: PromptContext, tag: Tag, form: JudgeForm, limits: AdapterLimits
) -> tuple[Message, ...]:
    """Ask an adapter whether one tag fits the content; passages have no place in its prompt."""
    parts = [form.content.format(text=_cut(context.content.full_text, limits.text))]
    if lines := _similar_lines(context.examples, form, limits):
        parts += [form.similar_header, *lines]
    description = _cut(tag.description, limits.description)
    parts.append(form.tag.format(id=unmarked(tag.id), name=unmarked(tag.name), description=description))
    return (Message(role="system", content=form.system), Message(role="user", content="".join(parts)))


def _similar_lines(examples: Sequence[Example], form: JudgeForm, limits: AdapterLimits) -> list[str]:
    if not form.similar_line:
        return []
    return [
        form.similar_line.format(
            first_line=_cut(example.text.partition("\n")[0], limits.similar_first_line),
            tag_ids=unmarked(", ".join(example.ids)),
            tag_names=unmarked(", ".join(example.tags)),
        )
        for example in examples[: limits.similar]
    ]


def _cut(text: str, budget: int) -> str:
    """Cut as in training, wherever that falls: ``quote`` ends at a word and says so, which no adapter has seen."""
    return unmarked(text)[:budget]
