"""``llm4tag keys``: the API keys of a server."""

from pathlib import Path
from typing import Annotated

import typer

from llm4tag.cli.console import say
from llm4tag.serving import api_keys

app = typer.Typer(no_args_is_help=True, help="API keys for `llm4tag serve`.", rich_markup_mode="rich")

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
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the owner: threads belong to it.")]


def register(root: typer.Typer) -> None:
    """Add the commands to the root."""
    root.add_typer(app, name="keys")


@app.command()
def add(
    name: _Name,
    scope: Annotated[
        api_keys.Scope,
        typer.Option(
            "--scope",
            help="read: see assistants, schemas, own threads. tag: the same, and tag. admin: everything.",
        ),
    ] = api_keys.Scope.TAG,
    keys: KeysOption = None,
) -> None:
    r"""Make a key and print it. It is shown only once, as the file holds nothing but its sha256.

    A running server accepts it from the next request on.

    [bold]Examples[/bold]

    \b
    llm4tag keys add newsroom
    llm4tag keys add operations --scope admin --keys /etc/llm4tag/keys.json
    """
    path = keys or api_keys.keys_path()
    made = api_keys.add(path, name, scope)
    say(f"{path}: a key for {name} (scope {scope.value}); it is shown only once", "green")
    typer.echo(made)


@app.command(name="list")
def list_keys(keys: KeysOption = None) -> None:
    r"""Show the names, scopes and times of all keys; the keys themselves cannot be shown.

    [bold]Examples[/bold]

    \b
    llm4tag keys list
    """
    for key in api_keys.load(keys or api_keys.keys_path()):
        typer.echo(f"{key.name}\t{key.scope.value}\t{key.made:%Y-%m-%d %H:%M}")


@app.command()
def remove(name: _Name, keys: KeysOption = None) -> None:
    r"""Remove a key; a running server refuses it from the next request on.

    [bold]Examples[/bold]

    \b
    llm4tag keys remove newsroom
    """
    path = keys or api_keys.keys_path()
    api_keys.remove(path, name)
    say(f"{path}: the key of {name} is removed", "green")
