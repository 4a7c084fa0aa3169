"""Where spans go: to an OTLP endpoint over HTTP, in batches, as OpenTelemetry's variables say.

Imports OpenTelemetry's SDK, of the extra ``trace``.
"""

import logging
import os
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

_NAMES = {"service.name": "llm4tag", "openinference.project.name": "llm4tag"}


def exporting_provider() -> TracerProvider:
    """Return a tracer provider that sends spans away, the last ones when the process ends."""
    # What the environment says of the resource beats these; without it the SDK calls every service unknown.
    told = dict(Resource.create().attributes)
    if not os.environ.get("OTEL_SERVICE_NAME") and str(told.get("service.name", "")).startswith("unknown_service"):
        del told["service.name"]
    provider = TracerProvider(resource=Resource({**_NAMES, **told}))
    provider.add_span_processor(BatchSpanProcessor(_TellingOnce(OTLPSpanExporter())))
    return provider


class _TellingOnce(SpanExporter):
    """Says in one line that spans are lost, and again only when some have been sent meanwhile."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._told = False
        # It tells every try, between the lines of whoever has the terminal.
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._told = False
        elif not self._told:
            self._told = True
            log.warning(
                "traces are lost: nothing takes them at OTEL_EXPORTER_OTLP_ENDPOINT; results are as without traces"
            )
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
