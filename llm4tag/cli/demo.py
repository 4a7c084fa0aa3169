"""``llm4tag demo``: the whole flow on a small part of a real data set, which comes with llm4tag."""

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.cli.console import ExitCode, progress_bar, run_async, say

_SHOWN_TAGS = 8


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(demo)


def demo(
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="STORE",
            help="Path of the store to make or to go on with. Default: in the cache folder.",
            show_default=False,
        ),
    ] = None,
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Tag from recall alone; no LLM is needed.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=40, help="Number of contents to tag.")] = 5,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download the LLM without asking.")] = False,
) -> None:
    r"""Fill a store with some of Debian's package descriptions and their tags, tag a few others, measure recall.

    It takes a few minutes on two cores: one or two to embed the texts, then up
    to one for each content that the LLM tags. The LLM is downloaded once
    (1.1 GB). After Ctrl-C, the same command goes on where it was.

    [bold]Examples[/bold]

    \b
    llm4tag demo --yes
    llm4tag demo --no-llm
    """
    from llm4tag.schema import settings

    location = str(store or settings().cache_dir / "demo" / "debtags.llm4tag")
    Path(location).absolute().parent.mkdir(parents=True, exist_ok=True)
    without = "" if no_llm else _missing_llm(yes)
    if without:
        say(f"{without}: going on with recall alone, as with --no-llm", "yellow")
    use_llm = not no_llm and not without
    run_async(_show(location, use_llm, limit))
    if without:
        raise typer.Exit(ExitCode.PARTIAL)


def _missing_llm(yes: bool) -> str:
    """Download the LLM if it is not here; return why there is none, or an empty string."""
    from llm4tag.cli.error_words import COMMANDS, in_words
    from llm4tag.cli.model import pull_model
    from llm4tag.models.local.known_models import known_model
    from llm4tag.models.local.model_files import find_model
    from llm4tag.schema import DEFAULT_MODEL, ModelError, ModelNotFoundError, settings
    from llm4tag.schema.errors import Step

    if importlib.util.find_spec("xllamacpp") is None:
        return f"what runs a local LLM is not installed ({COMMANDS[Step.INSTALL_LOCAL]})"
    try:
        find_model(DEFAULT_MODEL, settings().cache_dir)
    except ModelNotFoundError:
        size = known_model(DEFAULT_MODEL).size / 1e9
        if not yes and not _agreed(f"The LLM ({DEFAULT_MODEL}, {size:.1f} GB) is not here yet. Download it?"):
            return "the LLM was not downloaded (--yes downloads it)"
        try:
            pull_model(None)
        except ModelError as error:
            return f"the LLM cannot be downloaded: {in_words(error)}"
    return ""


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(question, default=True, err=True)


def _next_commands(location: str, labelled: str, use_llm: bool) -> tuple[str, ...]:
    """Return commands that use the store of the demo."""
    end = "" if use_llm else " --no-llm"
    return (
        f'llm4tag explain "A chess clock for the terminal" --store {location}{end}',
        f"llm4tag evaluate {labelled} --store {location} --limit 10{end}",
        f"llm4tag store status --store {location}",
        "llm4tag ingest vocabulary YOUR_TAGS.csv --store my.store",
    )


async def _show(location: str, use_llm: bool, limit: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from llm4tag.cli.result_table import draw_table
    from llm4tag.demo_store import demo_file, fill_store, measure_recall, tag_some
    from llm4tag.evaluation.evaluation_table import draw

    screen = Console(highlight=False)
    screen.print(f"[bold]1.[/] 463 tags, 500 tagged contents and 150 passages into {location}", soft_wrap=True)
    await fill_store(location, progress_bar)
    how = "by the LLM over recall" if use_llm else "from recall alone"
    screen.print(f"\n[bold]2.[/] {limit} contents that the store has never seen, tagged {how}")
    async for item, result in tag_some(location, use_llm, limit):
        screen.print(draw_table(result, result.tags[:_SHOWN_TAGS], item.content, item.gold))
    screen.print("\n[bold]3.[/] Recall alone on the 40 labelled contents of the demo")
    screen.print(draw(await measure_recall(location, progress_bar)))
    screen.print("\n[bold]To go on[/]")
    for command in _next_commands(location, demo_file("labelled.jsonl"), use_llm):
        screen.print(Text(f"  {command}"), soft_wrap=True)
    screen.print(Text(f"\nThe texts and tags are Debian's: {demo_file('NOTICE')}"), soft_wrap=True)
