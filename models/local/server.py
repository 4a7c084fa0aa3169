"""The process that runs a local model: llama.cpp's own HTTP server, on this machine's loopback only.

``ServerProcess`` starts it. When it is ready it prints one line of JSON with its address.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

DEFAULT_CONTEXT = 8192
DEFAULT_SLOTS = 1
KEY_VARIABLE = "LLM4TAG_SERVER_KEY"


def main(argv: list[str] | None = None) -> None:
    """Run the server until it is killed, or until its standard input ends if the arguments say so."""
    arguments = _parser().parse_args(argv)
    server = _start(arguments)
    ready = {"address": server.listening_address, "pid": os.getpid(), "sha256": arguments.sha256}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads standard output after this line
    if arguments.with_parent:
        sys.stdin.buffer.read()  # it ends with the parent, for whatever reason the parent ended
    else:
        threading.Event().wait()
    # A normal exit would wait for the server's threads, which wait for open connections.
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llm4tag.models.local.server", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="GGUF file")
    parser.add_argument("--lora", type=Path, help="GGUF file of an adapter")
    parser.add_argument("--sha256", default="", help="name of the model in /v1/models")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, default=DEFAULT_SLOTS, help="prompts at once")
    parser.add_argument("--context", type=int, default=DEFAULT_CONTEXT, help="tokens, for each slot")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    return parser


def _start(arguments: argparse.Namespace) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(arguments.model)
    parameters.model_alias = {arguments.sha256 or arguments.model.name}
    if arguments.lora is not None:
        # The scale is for requests that give none; all of ours give one.
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(arguments.lora), 1.0)]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = arguments.port
    parameters.n_ctx = arguments.context * arguments.slots
    parameters.n_parallel = arguments.slots
    parameters.cpuparams.n_threads = arguments.threads
    parameters.cpuparams_batch.n_threads = arguments.threads
    parameters.cache_ram_mib = 0
    parameters.verbosity = 0
    parameters.ui = False
    parameters.endpoint_slots = False
    if key := os.environ.get(KEY_VARIABLE, ""):
        parameters.api_keys = [key]
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    main()
