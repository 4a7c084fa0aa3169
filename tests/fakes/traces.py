"""Spans where a test can read them: in memory, and as a collector on the loopback receives them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llm4tag.models import tracing
from tests.fakes.loopback import Loopback


@dataclass
class Spans:
    """The finished spans, in the order in which they began."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    @property
    def all(self) -> list[ReadableSpan]:
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def parent(self, span: ReadableSpan) -> str | None:
        """Return the name of a span's parent; None for one without, or whose parent is not ours."""
        by_id = {other.context.span_id: other.name for other in self.all if other.context}
        return by_id.get(span.parent.span_id) if span.parent else None

    @property
    def everything(self) -> str:
        """All that would be sent, as one text."""
        return "\n".join(span.to_json() for span in self.all)


@contextmanager
def in_memory() -> Iterator[Spans]:
    """Make spans, and collect them."""
    spans = Spans()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))
    tracing.set_up(provider)
    try:
        yield spans
    finally:
        tracing.pause()


def facts(span: ReadableSpan) -> dict[str, Any]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


class Collector(Loopback):
    """A server that takes traces by OTLP over HTTP; a context manager.

    Attributes:
        requests: what it was sent, decoded.
    """

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        super().__init__(_Server(self))

    @property
    def endpoint(self) -> str:
        """What to set OTEL_EXPORTER_OTLP_ENDPOINT to."""
        return self.address

    @property
    def names(self) -> list[str]:
        """The names of all spans, sorted."""
        scopes = [
            scope for sent in self.requests for resource in sent.resource_spans for scope in resource.scope_spans
        ]
        return sorted(span.name for scope in scopes for span in scope.spans)

    @property
    def resource(self) -> dict[str, str]:
        """What the sender says of itself."""
        return {
            item.key: item.value.string_value for item in self.requests[0].resource_spans[0].resource.attributes
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, collector: Collector) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.collector = collector


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        self.server.collector.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
