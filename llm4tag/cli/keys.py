"""``llm4tag keys``: who may use the server."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llm4tag.cli.console import say

app = typer.Typer(no_args_is_help=True, help="Who may use `llm4tag serve`.", rich_markup_mode="rich")

KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        envvar="LLM4TAG_KEYS",
        help="The keys file. Default: keys.json in this user's configuration folder.",
        show_default=False,
    ),
]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: threads belong to this name.")]


class ScopeName(StrEnum):
    """What a key may do."""

    READ = "read"
    TAG = "tag"
    ADMIN = "admin"


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="keys")


@app.command()
def add(
    name: _Name,
    scope: Annotated[
        ScopeName,
        typer.Option(
            "--scope",
            help="read: see assistants, schemas, own threads. tag: that, and tag. admin: everything.",
        ),
    ] = ScopeName.TAG,
    keys: KeysOption = None,
) -> None:
    r"""Make a key and print it, this once: the file keeps its sha256 alone.

    A running server takes it from the next request on.

    [bold]Examples[/bold]

    \b
    llm4tag keys add newsroom
    llm4tag keys add operations --scope admin --keys /etc/llm4tag/keys.json
    """
    from llm4tag.serving.api_keys import Scope, keys_path
    from llm4tag.serving.api_keys import add as add_key

    path = keys or keys_path()
    made = add_key(path, name, Scope(scope.value))
    say(f"{path}: a key for {name} (scope {scope.value}); it is shown this once", "green")
    typer.echo(made)


@app.command(name="list")
def list_keys(keys: KeysOption = None) -> None:
    r"""Show names, scopes and times; nobody can show the keys.

    [bold]Examples[/bold]

    \b
    llm4tag keys list
    """
    from llm4tag.serving.api_keys import keys_path, load

    for key in load(keys or keys_path()):
        typer.echo(f"{key.name}\t{key.scope.value}\t{key.made:%Y-%m-%d %H:%M}")


@app.command()
def remove(name: _Name, keys: KeysOption = None) -> None:
    r"""Forget a key; a running server refuses it from the next request on.

    [bold]Examples[/bold]

    \b
    llm4tag keys remove newsroom
    """
    from llm4tag.serving.api_keys import keys_path
    from llm4tag.serving.api_keys import remove as remove_key

    path = keys or keys_path()
    remove_key(path, name)
    say(f"{path}: {name}'s key is forgotten", "green")
