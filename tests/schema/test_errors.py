"""Errors carry data; who shows them spells options and steps."""

import pytest

from llm4tag.cli.error_words import COMMANDS, CommandLine, in_words
from llm4tag.schema import StoreError, UsageError
from llm4tag.schema.errors import Spelling, Step


def test_an_error_says_what_and_where_and_what_to_do_as_data_and_in_a_line() -> None:
    error = UsageError(
        "0.01 is not supported", where="a.jsonl:3", option="max_error", remedy="give more, or {calibrate}", n=3
    )
    assert (error.what, error.where, error.option) == ("0.01 is not supported", "a.jsonl:3", "max_error")
    assert error.details == {"n": "3"}
    line = "a.jsonl:3: max_error: 0.01 is not supported; give more, or calibrate on labelled contents"
    assert str(error) == error.message() == line


def test_the_command_line_names_flags_and_commands() -> None:
    costly = UsageError("it would cost too much", option="max_cost", remedy="raise it, or lower {limit}")
    assert in_words(costly) == "--max-cost: it would cost too much; raise it, or lower --limit"
    error = StoreError("not there", where="a.store", remedy="{pull_model}, or use {use_llm}", model="qwen")
    assert in_words(error) == "a.store: not there; download the model (`llm4tag model pull qwen`), or use --no-llm"


def test_braces_of_strangers_stay_as_they_are() -> None:
    error = UsageError("{max_error} and {fit_recall}", where="{limit}.csv", remedy="look at {Name} and {0}")
    assert str(error) == "{limit}.csv: {max_error} and {fit_recall}; look at {Name} and {0}"


@pytest.mark.parametrize("step", Step)
def test_every_step_has_words_and_a_command(step: Step) -> None:
    assert Spelling().step(step, {}) == step.value
    assert COMMANDS[step].split()[0] in {"llm4tag", "pip"}
    assert CommandLine().step(step, {}).startswith(f"{step.value} (`")


@pytest.mark.parametrize("step", [one for one in Step if COMMANDS[one].startswith("llm4tag")])
def test_the_commands_exist(step: Step) -> None:
    from typer.main import get_command

    from llm4tag.cli import app

    command = get_command(app)
    for word in COMMANDS[step].split()[1:]:
        if (found := getattr(command, "commands", {}).get(word)) is None:
            break
        command = found
    assert not hasattr(command, "commands"), f"{COMMANDS[step]}: the words lead to no command"
    flags = {word for word in COMMANDS[step].split() if word.startswith("--")}
    assert flags <= {name for parameter in command.params for name in parameter.opts}
