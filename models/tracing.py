"""Spans of nodes, models and tools for OpenTelemetry, with OpenInference's attributes.

Nothing is imported, made or sent before ``set_up``, which does nothing where no endpoint is set. Spans contain no
texts unless OpenInference's own variables ask for them: ``OPENINFERENCE_HIDE_INPUTS=false``, ``…_OUTPUTS=false``.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from llm4tag.schema.errors import Step

if TYPE_CHECKING:
    from openinference.instrumentation import OITracer, TraceConfig
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

Kind = Literal["chain", "retriever", "llm", "embedding", "tool"]

log = logging.getLogger(__name__)

_PREFIX = "llm4tag."
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_FLUSH_MS = 5_000

content: ContextVar[str | None] = ContextVar("llm4tag_traced_content", default=None)
"""Id of the content that is being tagged; every span has it."""


class Span:
    """The span of a piece of work; where traces are off it takes everything and does nothing."""

    def __init__(self, inner: "OtelSpan | None" = None) -> None:
        self.inner = inner

    def __bool__(self) -> bool:
        """Return whether the span is recorded; ask before attributes are computed that cost something."""
        return self.inner is not None and self.inner.is_recording()

    def describe(self, **facts: Any) -> None:
        """Set attributes of our own, ``llm4tag.NAME``; values of None are left out.

        They must not contain texts of contents, as nothing hides them.
        """
        self.add({f"{_PREFIX}{name}": value for name, value in facts.items()})

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of OpenInference; values of None are left out, and those that its variables hide."""
        if self.inner is not None:
            self.inner.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def succeed(self) -> None:
        """Mark the work as done."""
        if self.inner is not None:
            from opentelemetry.trace import StatusCode

            self.inner.set_status(StatusCode.OK)

    def fail(self, error: BaseException) -> None:
        """Mark the work as failed; the error's message is hidden with the texts, as it may quote them."""
        if self.inner is None:
            return
        from opentelemetry.trace import StatusCode

        kind = type(error).__name__
        words = f"{kind}: {error}" if str(error) and shows_texts() else kind
        self.inner.set_status(StatusCode.ERROR, words)

    def end(self) -> None:
        """End the span, as the work is over."""
        if self.inner is not None:
            self.inner.end()


class _Traces:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.provider: TracerProvider | None = None
        self.tracer: OITracer | None = None
        self.texts = False


_traces = _Traces()


def on() -> bool:
    """Return whether spans are made."""
    return _traces.tracer is not None


def shows_texts() -> bool:
    """Return whether spans contain texts, which they do where the user asked for both inputs and outputs."""
    return _traces.texts


def set_up(provider: "TracerProvider | None" = None) -> bool:
    """From now on send spans to ``OTEL_EXPORTER_OTLP_ENDPOINT``; OpenTelemetry's other variables work too.

    The process's own tracer provider stays as it is, and no other library is traced.

    Args:
        provider: receives the spans, whatever the environment contains; None: one of our own, if the environment
            asks for traces.

    Returns:
        Whether spans are made.
    """
    with _traces.lock:
        if _traces.tracer is None and (provider is not None or _wanted()):
            if provider is None:
                from llm4tag.models.trace_export import exporting_provider

                provider = exporting_provider()
            _start(provider)
    return on()


def pause() -> None:
    """Make no more spans until ``set_up`` is called again; a provider that a caller gave is not shut down."""
    with _traces.lock:
        _traces.provider, _traces.tracer = None, None


def flush() -> None:
    """Send the remaining spans within five seconds; at the end of the process this happens by itself."""
    if _traces.provider is not None:
        _traces.provider.force_flush(_FLUSH_MS)


@contextmanager
def span(name: str, kind: Kind, *, parent: Span | None = None, alone: bool = True) -> Iterator[Span]:
    """Make a span of the work inside ``with``, as the current span; where traces are off it does nothing.

    Args:
        name: what is done: a verb.
        kind: OpenInference's kind of the span.
        parent: the span that contains this one; None: the current one.
        alone: whether the span is made even if no other contains it.
    """
    tracer = _traces.tracer
    if tracer is None:
        yield Span()
        return
    from opentelemetry import trace

    if parent is None and not alone and not trace.get_current_span().is_recording():
        yield Span()
        return
    made = begin(name, kind, parent)
    assert made.inner is not None
    try:
        with trace.use_span(made.inner, record_exception=False, set_status_on_exception=False):
            yield made
        made.succeed()
    except BaseException as error:
        made.fail(error)
        raise
    finally:
        made.end()


def begin(name: str, kind: Kind, parent: Span | None = None) -> Span:
    """Begin a span that the caller ends; the arguments are those of ``span``."""
    tracer = _traces.tracer
    if tracer is None:
        return Span()
    from opentelemetry import trace

    context = None if parent is None or parent.inner is None else trace.set_span_in_context(parent.inner)
    made = Span(tracer.start_span(name, context, openinference_span_kind=kind))
    made.describe(content=content.get())
    return made


def _wanted() -> bool:
    """Return whether the environment asks for traces, and traces can be made here."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    if (
        os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    ):
        return False
    protocol = next((found for name in _PROTOCOLS if (found := os.environ.get(name))), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning("no traces: only http/protobuf is supported, and %s asks for %s", _PROTOCOLS[1], protocol)
        return False
    try:
        version("openinference-instrumentation")
        version("opentelemetry-exporter-otlp-proto-http")
    except PackageNotFoundError as error:
        log.warning(
            "no traces: %s is set, and %s is not installed; %s, or set OTEL_SDK_DISABLED=true",
            _ENDPOINTS[1],
            error.name,
            Step.INSTALL_TRACE.value,
        )
        return False
    return True


def _start(provider: "TracerProvider") -> None:
    from openinference.instrumentation import OITracer

    config = _config()
    _traces.provider = provider
    _traces.texts = not (config.hide_inputs or config.hide_outputs)
    _traces.tracer = OITracer(provider.get_tracer("llm4tag", version("llm4tag")), config=config)


def _config() -> "TraceConfig":
    from openinference.instrumentation import TraceConfig

    inputs = TraceConfig(hide_inputs=_hidden("OPENINFERENCE_HIDE_INPUTS")).hide_inputs
    return TraceConfig(
        hide_inputs=inputs,
        hide_outputs=_hidden("OPENINFERENCE_HIDE_OUTPUTS"),
        hide_embeddings_text=True if inputs else None,
    )


def _hidden(variable: str) -> bool | None:
    """Return True where the variable is not set: the endpoint is often set for a whole machine, texts included."""
    return None if os.environ.get(variable) else True
