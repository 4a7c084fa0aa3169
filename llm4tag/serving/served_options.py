"""What a caller of the server may choose: the options of tagging, less what the server decides."""

import os
from collections.abc import Mapping
from copy import copy
from typing import Annotated, Any

from pydantic import ModelWrapValidatorHandler, ValidationError, create_model, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from llm4tag.graphs.context import TagOptions, wrong_option
from llm4tag.prompts import profile_names
from llm4tag.schema import UsageError

OPTIONS_VARIABLE = "LLM4TAG_SERVE_OPTIONS"
"""The options that the server was started with, as JSON."""
DECIDED = ("store", "embedding", "model", "api_base", "adapter", "judge_form")
"""What names files and hosts, and where the server's own API key is sent."""
_HIDDEN: Any = SkipJsonSchema
_DESCRIPTION = "How to tag. What is left out is as the server was started."


class _Served(TagOptions):
    @field_validator(*DECIDED, mode="before")
    @classmethod
    def _is_the_servers(cls, value: Any, info: Any) -> Any:
        if value != cls.model_fields[info.field_name].default:
            raise UsageError(
                f"option {info.field_name!r}: the server decides that, when it is started; leave it out"
            )
        return value

    @field_validator("profile", mode="before")
    @classmethod
    def _comes_with_llm4tag(cls, value: Any) -> Any:
        names = profile_names()
        if value != cls.model_fields["profile"].default and value not in names:
            raise UsageError(f"option 'profile': a server reads no file for a caller; give {', '.join(names)}")
        return value

    @field_validator("use_llm", mode="before")
    @classmethod
    def _has_a_model(cls, value: Any) -> Any:
        if value is not False and cls.model_fields["use_llm"].default is False:
            raise UsageError("option 'use_llm': this server was started without an LLM; leave it out")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _told_in_a_line(cls, given: Any, handler: ModelWrapValidatorHandler["_Served"]) -> "_Served":
        try:
            return handler(given)
        except ValidationError as error:
            raise wrong_option(error) from error


def chosen_options() -> TagOptions:
    """Return the options that this server was started with; all defaults where it was not by ``llm4tag serve``.

    Raises:
        UsageError: the variable holds something else.
    """
    given = os.environ.get(OPTIONS_VARIABLE, "")
    try:
        return TagOptions.model_validate_json(given) if given else TagOptions()
    except ValidationError as error:
        raise wrong_option(error) from error


def refusal(context: Mapping[str, Any], options: type[TagOptions], *, explicit: bool = True) -> str:
    """Say what is wrong with a caller's options; empty where nothing is.

    LangGraph's server drops what is not in their schema, in silence: a misspelt option would never be missed.

    Args:
        context: what the caller chose.
        options: what may be chosen, of ``served_options``.
        explicit: whether it was given as context, and not as ``configurable``, which holds more than options.
    """
    known = set(options.model_fields)
    try:
        options(**{name: value for name, value in context.items() if explicit or name in known})
    except UsageError as error:
        return str(error)
    return ""


def served_options(chosen: TagOptions) -> type[TagOptions]:
    """Return options whose defaults are those chosen; what the server decides is not in their schema."""
    fields: dict[str, Any] = {}
    for name, field in TagOptions.model_fields.items():
        annotation: Any = field.rebuild_annotation()
        if name in DECIDED:
            annotation = Annotated[annotation, _HIDDEN()]
        default = copy(field)
        default.default = getattr(chosen, name)
        fields[name] = (annotation, default)
    return create_model("TagOptions", __base__=_Served, __doc__=_DESCRIPTION, **fields)
