"""``llm4tag profiles``: the kinds of content that there are prompts for."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Profiles: in which words the LLM is asked about a kind of content.",
    rich_markup_mode="rich",
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
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE.toml", help="A profile of the list, or a file to check.")
    ],
) -> None:
    r"""Print the file of a profile, as a start for your own.

    [bold]Examples[/bold]

    \b
    llm4tag profiles show news > my-news.toml
    llm4tag tag articles.jsonl --store my.store --profile my-news.toml
    """
    from llm4tag.prompts import profile_source, read_profile

    read_profile(name)
    typer.echo(profile_source(name), nl=False)
