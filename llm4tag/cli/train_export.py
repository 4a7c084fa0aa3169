"""``llm4tag train export``: write training examples from stores."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm4tag.cli.console import progress_bar, run_async, say
from llm4tag.cli.option_groups import grouped

if TYPE_CHECKING:
    from llm4tag.prompts.judge_forms import PromptForm
    from llm4tag.training.example_export import ExportOptions
    from llm4tag.training.judge_examples import Line


@dataclass(frozen=True)
class ExportFlags:
    """Which contents and candidates are exported, from which stores, in which form."""

    store: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STORE",
            help="Store whose history to export. May be given several times, to mix sets. Or set LLM4TAG_STORE.",
            show_default=False,
        ),
    ] = None
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Prompt form: ids, generic (without ids and similar items), names (without descriptions, too), "
            "or a .json file with the fields prompt and limits, such as an adapter.json. Give it once for all "
            "stores, or once for each. Default: ids.",
            show_default=False,
        ),
    ] = None
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of the set, given once for each store. Default: the name of the store.", show_default=False
        ),
    ] = None
    top: Annotated[
        int, typer.Option(min=1, max=200, help="Number of candidates of each content, the best ones.")
    ] = 14
    missed: Annotated[
        int,
        typer.Option(
            min=0, help="Number of right tags, at most, that are added where they are not among the candidates."
        ),
    ] = 2
    held_out: Annotated[
        float,
        typer.Option(min=0.0, max=0.9, help="Share of the contents to hold out; near-duplicates stay together."),
    ] = 0.1
    fewest_tags: Annotated[int, typer.Option(min=1, help="Leave out contents with fewer tags.")] = 1
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only a sample of N contents.", show_default=False)
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the sample and of everything else that is drawn.")] = 0
    chat: Annotated[
        bool,
        typer.Option(
            "--chat",
            help="Also write OUT.chat-train.jsonl and OUT.chat-held_out.jsonl, with one question and its answer a "
            "line, as OpenAI, Axolotl and Unsloth read it.",
        ),
    ] = False
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False


@grouped
def export(
    file: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="File to write.")],
    flags: ExportFlags,
) -> None:
    r"""Write examples to train a judge on: contents of the history with the candidates that tagging finds.

    The candidates of a content are found as if it and its near-duplicates were
    not in the history. Some contents are held out, to measure what training gains.

    [bold]Examples[/bold]

    \b
    llm4tag train export examples.jsonl --store my.store
    llm4tag train export mixed.jsonl --store news.store --store jobs.store --form ids --form generic
    llm4tag train export examples.jsonl --store my.store --limit 500 --chat
    """
    from llm4tag.training.example_export import ExportOptions
    from llm4tag.training.example_files import files_to_write, write_examples

    files = files_to_write(file, flags.chat, flags.overwrite)
    wanted = _sets(flags.store, flags.form, flags.name)
    chosen = ("top", "missed", "held_out", "fewest_tags", "limit", "seed")
    options = ExportOptions(**{option: getattr(flags, option) for option in chosen})
    try:
        written = run_async(write_examples(_lines(wanted, options), files, flags.seed))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"nothing was written to {file}; run the same command again") from error
    say(
        f"{written.contents:,} contents with {written.pairs:,} candidates, {written.right:,} of them right, "
        f"{written.held_out:,} contents held out, in {', '.join(map(str, written.files))}"
    )


async def _lines(wanted: "Sequence[_Set]", options: "ExportOptions") -> "AsyncIterator[Line]":
    from llm4tag.knowledge_store.stores import open_store
    from llm4tag.training.example_export import export_set

    for location, name, form in wanted:
        async with await open_store(location) as opened:
            async for line in export_set(opened, name, form, options, progress_bar):
                yield line


_Set = tuple[str, str, "tuple[str, PromptForm]"]
"""Location, name and form of a set."""


def _sets(stores: list[str] | None, forms: list[str] | None, names: list[str] | None) -> list[_Set]:
    """Return the sets to export.

    Raises:
        UsageError: there is no store, the number of forms or names is wrong, or a form or a name is not allowed.
    """
    from llm4tag.prompts.judge_forms import prompt_form
    from llm4tag.schema import UsageError, settings
    from llm4tag.training.judge_examples import default_name

    locations = stores or [found for found in [settings().store] if found]
    if not locations:
        raise UsageError("no store is given", remedy="name one with {store}, or in LLM4TAG_STORE")
    given = forms or ["ids"]
    if len(given) not in (1, len(locations)):
        raise UsageError(
            f"{len(given)} for {len(locations)} stores", option="form", remedy="give one, or one for each"
        )
    given = given * len(locations) if len(given) == 1 else given
    called = names or [default_name(location) for location in locations]
    if len(called) != len(locations) or len(set(called)) != len(called):
        raise UsageError(
            f"{', '.join(called)} for {len(locations)} stores",
            option="name",
            remedy="give each set a name of its own",
        )
    found = [prompt_form(form) for form in given]
    if any(form.limits != found[0][1].limits for _, form in found):
        raise UsageError(
            "the limits of the forms differ, and a judge has only one set of limits",
            option="form",
            remedy="make them the same",
        )
    return list(zip(locations, called, found, strict=True))
