"""What a caller of the server may choose: the options of tagging, without those that the server decides."""

import os
from collections.abc import Mapping
from copy import copy
from typing import Annotated, Any

from pydantic import ModelWrapValidatorHandler, ValidationError, create_model, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from llm4tag.prompts import profile_names
from llm4tag.schema import UsageError
from llm4tag.schema.options import TagOptions, wrong_option

OPTIONS_VARIABLE = "LLM4TAG_SERVE_OPTIONS"
"""The variable that has the options of the server, as JSON."""
DECIDED = ("store", "embedding", "model", "api_base", "adapter", "judge_form")
"""Options that name files and hosts, and decide where the server's own API key is sent."""
_HIDDEN: Any = SkipJsonSchema
_DESCRIPTION = "How to tag. An option that is left out has the value that the server was started with."


class _Served(TagOptions):
    @field_validator(*DECIDED, mode="before")
    @classmethod
    def _is_the_servers(cls, value: Any, info: Any) -> Any:
        if value != cls.model_fields[info.field_name].default:
            raise UsageError(
                "the server decides this when it is started", option=info.field_name, remedy="leave it out"
            )
        return value

    @field_validator("profile", mode="before")
    @classmethod
    def _comes_with_llm4tag(cls, value: Any) -> Any:
        names = profile_names()
        if value != cls.model_fields["profile"].default and value not in names:
            raise UsageError(
                "a server reads no file for a caller", option="profile", remedy=f"give one of {', '.join(names)}"
            )
        return value

    @field_validator("use_llm", mode="before")
    @classmethod
    def _has_a_model(cls, value: Any) -> Any:
        if value is not False and cls.model_fields["use_llm"].default is False:
            raise UsageError("this server was started without an LLM", option="use_llm", remedy="leave it out")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _one_line_errors(cls, given: Any, handler: ModelWrapValidatorHandler["_Served"]) -> "_Served":
        try:
            return handler(given)
        except ValidationError as error:
            raise wrong_option(error) from error


def chosen_options() -> TagOptions:
    """Return the options that this server was started with; all are defaults where the variable is not set.

    Raises:
        UsageError: the variable has other content.
    """
    given = os.environ.get(OPTIONS_VARIABLE, "")
    try:
        return TagOptions.model_validate_json(given) if given else TagOptions()
    except ValidationError as error:
        raise wrong_option(error) from error


def refusal(context: Mapping[str, Any], options: type[TagOptions], *, explicit: bool = True) -> str:
    """Return what is wrong with a caller's options; empty: nothing.

    LangGraph's server silently drops what is not in their schema, so a misspelt option would not be noticed.

    Args:
        context: the options that the caller chose.
        options: the options that may be chosen; see ``served_options``.
        explicit: whether they were sent as context, and not as ``configurable``, which has more than options.
    """
    known = set(options.model_fields)
    try:
        options(**{name: value for name, value in context.items() if explicit or name in known})
    except UsageError as error:
        return str(error)
    return ""


def served_options(chosen: TagOptions) -> type[TagOptions]:
    """Return a class of options whose defaults are the chosen ones; its schema lacks what the server decides."""
    fields: dict[str, Any] = {}
    for name, field in TagOptions.model_fields.items():
        annotation: Any = field.rebuild_annotation()
        if name in DECIDED:
            annotation = Annotated[annotation, _HIDDEN()]
        default = copy(field)
        default.default = getattr(chosen, name)
        fields[name] = (annotation, default)
    return create_model("TagOptions", __base__=_Served, __doc__=_DESCRIPTION, **fields)
