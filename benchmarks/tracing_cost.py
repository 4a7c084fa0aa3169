"""Cost of traces: the same contents tagged with traces off and on, compared, without an LLM.

    python -m benchmarks.tracing_cost STORE CONTENTS.jsonl [--limit 100] [--langchain]

Every content is tagged in all ways, in another order each time. Traces are sent to a server in another process
that throws them away; sending is timed separately, as a run sends in a thread of its own. CPU time, which a busy
machine changes less, includes it. ``--langchain`` also measures OpenInference's instrumentation of LangChain, if
it is installed.
"""

import asyncio
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from llm4tag.graphs.context import close_shared_runtimes
from llm4tag.graphs.tagging import graph
from llm4tag.models import tracing
from llm4tag.schema import Content
from llm4tag.schema.options import TagOptions

_WARM_UP = 5
Way = Callable[[], AbstractContextManager[Callable[[], object]]]
"""Switches traces on, and yields a function that sends them."""


class _Sink(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Throw the request away."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


def _serve(port: Connection) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Sink)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def sink() -> Iterator[str]:
    """Run a server in another process; yield the address that traces are sent to."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}/v1/traces"
    finally:
        process.terminate()


class _Count(SpanProcessor):
    def __init__(self) -> None:
        self.spans = 0
        self.characters = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.spans += 1
        self.characters += sum(len(name) + len(str(value)) for name, value in (span.attributes or {}).items())


def _provider(endpoint: str, count: _Count) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    provider.add_span_processor(count)
    return provider


def _traced(endpoint: str, count: _Count, *, texts: bool) -> Way:
    @contextmanager
    def way() -> Iterator[Callable[[], object]]:
        for name in ("OPENINFERENCE_HIDE_INPUTS", "OPENINFERENCE_HIDE_OUTPUTS"):
            os.environ[name] = str(not texts).lower()
        tracing.set_up(provider)
        try:
            yield provider.force_flush
        finally:
            tracing.pause()

    provider = _provider(endpoint, count)
    return way


def _langchain(endpoint: str, count: _Count) -> Way:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    @contextmanager
    def way() -> Iterator[Callable[[], object]]:
        LangChainInstrumentor().instrument(tracer_provider=provider)
        try:
            yield provider.force_flush
        finally:
            LangChainInstrumentor().uninstrument()

    provider = _provider(endpoint, count)
    return way


async def measure(store: str, contents: list[Content], endpoint: str, langchain: bool) -> dict[str, Any]:
    """Return for each way the median in milliseconds, its ratio to that without traces, and the size of traces."""
    options = TagOptions(store=store, use_llm=False, max_rounds=1)
    counts = {"hidden": _Count(), "texts": _Count(), "langchain": _Count()}
    ways: dict[str, Way] = {
        "off": lambda: nullcontext(lambda: None),
        "hidden": _traced(endpoint, counts["hidden"], texts=False),
        "texts": _traced(endpoint, counts["texts"], texts=True),
    }
    if langchain:
        ways["langchain"] = _langchain(endpoint, counts["langchain"])
    took: dict[str, list[float]] = {name: [] for name in ways}
    sent: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    for number, content in enumerate([*contents[:_WARM_UP], *contents]):
        order = [*order[1:], order[0]]
        for name in order:
            with ways[name]() as send:
                started, busy = time.perf_counter(), time.process_time()
                await graph.ainvoke({"id": content.id, "text": content.text}, context=options)
                ended = time.perf_counter()
                send()
                busy = time.process_time() - busy
            if number >= _WARM_UP:
                took[name].append(1000 * (ended - started))
                sent[name].append(1000 * (time.perf_counter() - ended))
                used[name].append(1000 * busy)
    await close_shared_runtimes()
    off, runs = statistics.median(took["off"]), len(contents) + min(len(contents), _WARM_UP)
    return {
        name: {
            "ms_p50": round(statistics.median(times), 2),
            "added_ms_p50": round(statistics.median(b - a for a, b in zip(took["off"], times, strict=True)), 2),
            "ratio": round(statistics.median(times) / off, 3),
            "sending_ms_p50": round(statistics.median(sent[name]), 2),
            "cpu_ms_p50": round(statistics.median(used[name]), 2),
            "cpu_ratio": round(statistics.median(used[name]) / statistics.median(used["off"]), 3),
            "spans": round(counts[name].spans / runs, 1) if name in counts else 0,
            "kilobytes": round(counts[name].characters / runs / 1000, 1) if name in counts else 0,
        }
        for name, times in took.items()
    }


def main(
    store: str,
    contents: Annotated[Path, typer.Argument(exists=True)],
    limit: Annotated[int, typer.Option(min=1)] = 100,
    langchain: Annotated[bool, typer.Option("--langchain")] = False,
) -> None:
    """Print the figures as JSON."""
    with contents.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, limit)]
    chosen = [Content(id=row["id"], text=row["text"]) for row in rows]
    with sink() as endpoint:
        typer.echo(json.dumps(asyncio.run(measure(store, chosen, endpoint, langchain)), indent=2))


if __name__ == "__main__":
    typer.run(main)
