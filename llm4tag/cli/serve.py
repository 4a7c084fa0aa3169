"""``llm4tag serve``: serve the tagging graph with LangGraph's server, on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm4tag.cli.console import run_async, say
from llm4tag.cli.keys import KeysOption
from llm4tag.cli.option_groups import grouped
from llm4tag.schema.options import TagOptions, contents_at_once, resolved
from llm4tag.schema.settings import LOCAL, NO_ADAPTER, SHIPPED_ADAPTER

if TYPE_CHECKING:
    from llm4tag.serving.launch import ServerPlan

_SERVER = "The server"


def register(root: typer.Typer) -> None:
    """Add the command to the root."""
    root.command()(serve)


@dataclass(frozen=True)
class ServerOptions:
    """Where and to whom a store is served; results do not depend on it."""

    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port; 0: any free one, which is printed.", rich_help_panel=_SERVER),
    ] = 0
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on. An address that others reach needs keys of `llm4tag keys add`.",
            rich_help_panel=_SERVER,
        ),
    ] = "127.0.0.1"
    keys: KeysOption = None
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Contents to work at together; others wait. Default: 8; 1 with a local model; 2 without an LLM.",
            show_default=False,
            rich_help_panel=_SERVER,
        ),
    ] = None
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of threads and waiting runs. Default: a folder for the store, in the cache folder.",
            show_default=False,
            rich_help_panel=_SERVER,
        ),
    ] = None
    grace: Annotated[
        float,
        typer.Option(
            min=0,
            max=3600,
            metavar="SECONDS",
            help="Time that runs get to finish when the server is stopped.",
            rich_help_panel=_SERVER,
        ),
    ] = 30.0
    studio: Annotated[
        bool,
        typer.Option(
            "--studio",
            help="Admit the page of LangGraph Studio (smith.langchain.com), which sends no key.",
            rich_help_panel=_SERVER,
        ),
    ] = False
    show_settings: Annotated[
        bool,
        typer.Option(
            "--show-settings",
            help="Print the settings, without secrets, and exit.",
            rich_help_panel=_SERVER,
        ),
    ] = False


@grouped
def serve(options: TagOptions, server: ServerOptions) -> None:
    r"""Serve a store over HTTP: LangGraph's API, MCP for agents, a web page; log a line of JSON an item on stdout.

    Callers send a key of `llm4tag keys add`; if there is none, one is made for
    this run and printed. They may choose how to tag, but not the store and the
    model. Ctrl-C ends it when the runs that are under way are finished (--grace).

    [bold]Examples[/bold]

    \b
    llm4tag serve --store my.store --no-llm
    llm4tag serve --store my.store --port 8123 --max-error 0.05
    llm4tag serve --store my.store --studio
    llm4tag serve --store my.store --show-settings
    """
    import json

    from llm4tag.serving.api_keys import Scope, add
    from llm4tag.serving.launch import check_api, locked, run

    check_api()
    plan = _plan(options, server)
    if server.show_settings:
        typer.echo(json.dumps(_shown_settings(plan), indent=2, ensure_ascii=False))
        return
    with locked(plan.state):
        _check_parts(plan.options)
        if plan.key_for_this_run:
            plan.keys.unlink(missing_ok=True)
            say(f"key for this run: {add(plan.keys, 'this-run', Scope.ADMIN)}")
        say(
            f"{plan.options.store} is served at {plan.address}; a page to try it: {plan.address}/app; "
            f"ready: {plan.address}/ready; Ctrl-C stops it"
        )
        run(plan, _shown_settings(plan))


def _plan(options: TagOptions, server: ServerOptions) -> "ServerPlan":
    from llm4tag.schema import UsageError
    from llm4tag.serving.api_keys import keys_path, load
    from llm4tag.serving.guard import LOOPBACK
    from llm4tag.serving.launch import ServerPlan, free_port, state_folder

    options = _from_anywhere(options)
    settings = resolved(options)
    at_once = contents_at_once(use_llm=options.use_llm, local=settings.model.startswith(LOCAL))
    assert options.store is not None, "the option is required"
    state = (server.state or state_folder(settings.cache_dir, options.store)).absolute()
    keys = (server.keys or keys_path()).absolute()
    without = not load(keys)
    if without:
        if server.keys is not None:
            raise UsageError(
                "holds no key",
                where=keys,
                remedy="{add_key}, or leave {keys} out, so that one is made for this run",
            )
        if server.host not in LOOPBACK:
            raise UsageError(
                f"others reach {server.host}, and {keys} holds no key", option="host", remedy="{add_key}"
            )
        keys = state / "keys.json"
    return ServerPlan(
        options=options,
        keys=keys,
        key_for_this_run=without,
        state=state,
        cache_dir=settings.cache_dir.absolute(),
        host=server.host,
        port=server.port if server.show_settings else free_port(server.host, server.port),
        at_once=server.concurrency or at_once,
        grace=server.grace,
        studio=server.studio,
    )


def _from_anywhere(options: TagOptions) -> TagOptions:
    """Return the options with absolute paths, since the server works in its state folder."""
    from llm4tag.knowledge_store.location import absolute_location
    from llm4tag.prompts import profile_names

    settings = resolved(options)
    found: dict[str, Any] = {}
    if settings.store is not None:
        found["store"] = absolute_location(settings.store)
    if settings.adapter is not None and settings.adapter not in (NO_ADAPTER, SHIPPED_ADAPTER):
        found["adapter"] = str(Path(settings.adapter).expanduser().resolve())
    if settings.profile not in profile_names():
        found["profile"] = str(Path(settings.profile).expanduser().resolve())
    if settings.model.startswith(LOCAL) and settings.model.endswith(".gguf"):
        found["model"] = LOCAL + str(Path(settings.model.removeprefix(LOCAL)).expanduser().resolve())
    return options.model_validate(options.model_dump() | found)


def _check_parts(options: TagOptions) -> None:
    """Open store and model once, so that errors are reported before anyone calls."""
    from llm4tag.cli.error_words import in_words
    from llm4tag.schema import StoreUnreachableError
    from llm4tag.tagger import Tagger

    async def check() -> None:
        async with Tagger(**options.model_dump()) as tagger:
            try:
                await tagger.runtime()
            except StoreUnreachableError as error:
                say(f"not ready yet: {in_words(error)}", "yellow")

    run_async(check())


def _shown_settings(plan: "ServerPlan") -> dict[str, Any]:
    """Return the settings that a server runs with, without secrets."""
    from importlib.metadata import version

    from llm4tag.schema.text import public_url
    from llm4tag.serving.api_keys import load
    from llm4tag.serving.configuration import configuration
    from llm4tag.serving.launch import API_PACKAGE

    settings = resolved(plan.options).model_dump(mode="json") | {"cache_dir": str(plan.cache_dir)}
    options = plan.options.model_dump(mode="json", exclude_defaults=True)
    for shown in (settings, options):
        if shown.get("api_base"):
            shown["api_base"] = public_url(shown["api_base"])
    return {
        "llm4tag": version("llm4tag"),
        API_PACKAGE: version(API_PACKAGE),
        "address": plan.address,
        "options": options,
        "settings": settings,
        "keys": {key.name: key.scope.value for key in load(plan.keys)},
        "keys_file": str(plan.keys),
        "state": str(plan.state),
        "at_once": plan.at_once,
        "grace": plan.grace,
        "cors": configuration(studio=plan.studio)["http"]["cors"]["allow_origins"],
    }
