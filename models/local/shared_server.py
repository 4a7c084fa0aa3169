"""A local model's server that all processes of this machine's user share."""

from collections.abc import Callable
from pathlib import Path

from llm4tag.models.judge_adapter import Adapter
from llm4tag.models.local.adapter_conversion import with_adapter
from llm4tag.models.local.model_files import find_model
from llm4tag.models.local.server import DEFAULT_CONTEXT, DEFAULT_SLOTS
from llm4tag.models.local.server_process import ServerProcess, ServerState, running_server, state_path
from llm4tag.schema import ModelError, now
from llm4tag.schema.drafts import draft_of


def serve(
    name: str,
    cache_dir: Path,
    *,
    adapter: Adapter | None = None,
    port: int = 0,
    threads: int = 0,
    slots: int = DEFAULT_SLOTS,
    context: int = DEFAULT_CONTEXT,
    ready: Callable[[str], None],
) -> int:
    """Run a local model's server until it is interrupted; other processes find it in the cache folder.

    Args:
        name: ``local/NAME`` or ``local/PATH.gguf``.
        cache_dir: the cache folder of llm4tag.
        adapter: a fine-tuned judge to load in addition; only processes with the same one find this server.
        port: the port; 0: any free one.
        threads: number of threads; 0: ``LLM4TAG_THREADS``, else all cores.
        slots: how many prompts it answers at the same time.
        context: tokens for each slot.
        ready: called with the address, such as ``http://127.0.0.1:40123``, once the server answers.

    Returns:
        The server's exit status, in case it ends by itself.

    Raises:
        ModelNotFoundError: the model's file or the package that runs it is not on this machine.
        ModelError: the server does not start, or one with this model is running.
    """
    model = with_adapter(find_model(name, cache_dir), adapter, cache_dir)
    running = running_server(cache_dir, model.served_as)
    if running is not None:
        raise ModelError(
            f"a server with this model is running at {running.address}",
            where=name,
            remedy="use it, or stop it first",
        )
    process = ServerProcess(model, port=port, threads=threads, slots=slots, context=context, private=False)
    state = state_path(cache_dir, model.served_as)
    try:
        address = process.server.address
        found = ServerState(
            address=address, pid=process.pid, sha256=model.served_as, slots=slots, started=now().isoformat()
        )
        state.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(state) as draft:
            draft.write_text(found.model_dump_json(), "utf-8")
        ready(address)
        return process.wait()
    finally:
        state.unlink(missing_ok=True)
        process.stop()
