"""``llm4tag profiles``: for which kinds of content the LLM can be asked."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Kinds of content that the LLM can be asked about.", rich_markup_mode="rich"
)


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="profiles")


@app.command("list")
def show_all() -> None:
    r"""List the profiles that come with llm4tag.

    [bold]Examples[/bold]

    \b
    llm4tag profiles list
    llm4tag tag articles.jsonl --store my.store --profile news
    """
    from rich.console import Console
    from rich.table import Table

    from llm4tag.prompts import profile_names, read_profile

    table = Table("profile", "for", box=None)
    for name in profile_names():
        table.add_row(name, read_profile(name).about)
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="One of those, or a file to be checked.")],
) -> None:
    r"""Print a profile's file, to be copied and changed.

    [bold]Examples[/bold]

    \b
    llm4tag profiles show news > my-news.toml
    llm4tag tag articles.jsonl --store my.store --profile my-news.toml
    """
    from llm4tag.prompts import profile_source, read_profile

    read_profile(name)
    typer.echo(profile_source(name), nl=False)
