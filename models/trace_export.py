"""The export of spans in batches, over HTTP to the OTLP endpoint in OpenTelemetry's environment variables.

This module imports OpenTelemetry's SDK, which is installed only where traces are wanted.
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
    """Return a tracer provider that exports spans; the last ones are sent when the process ends."""
    # The environment's attributes beat ours. Where it gives no name, the SDK calls the service unknown.
    given = dict(Resource.create().attributes)
    if not os.environ.get("OTEL_SERVICE_NAME") and str(given.get("service.name", "")).startswith(
        "unknown_service"
    ):
        del given["service.name"]
    provider = TracerProvider(resource=Resource({**_NAMES, **given}))
    provider.add_span_processor(BatchSpanProcessor(_WarningExporter(OTLPSpanExporter())))
    return provider


class _WarningExporter(SpanExporter):
    """Warns once that spans are lost; it warns again only after some were sent in between."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._warned = False
        # The exporter logs every failed try, which would clutter the terminal.
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._warned = False
        elif not self._warned:
            self._warned = True
            log.warning(
                "traces are lost: nothing receives them at OTEL_EXPORTER_OTLP_ENDPOINT; results stay the same"
            )
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
