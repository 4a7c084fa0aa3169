"""Where traces go, and when there are none."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError

import pytest

from llm4tag.models import tracing
from llm4tag.models.trace_export import exporting_provider
from tests.fakes.traces import Collector

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    tracing.pause()


def test_nothing_is_imported_where_no_endpoint_is_set() -> None:
    # LangSmith's client, which LangChain imports, brings the SDK itself where it is installed.
    code = (
        "import sys; from llm4tag import Tagger; from llm4tag.models import tracing; Tagger('none'); "
        "print(tracing.on(),"
        "[name for name in sys.modules if name.startswith(('opentelemetry.exporter', 'openinference'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False []"


@pytest.mark.parametrize(
    ("name", "value", "warning"),
    [
        (ENDPOINT, "", ""),
        ("OTEL_SDK_DISABLED", "true", ""),
        ("OTEL_TRACES_EXPORTER", "none", ""),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "asks for grpc"),
    ],
)
def test_the_standard_variables_switch_them_off(
    name: str, value: str, warning: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    assert tracing.set_up() is False
    assert warning in caplog.text
    assert bool(caplog.text) == bool(warning)


def test_a_missing_extra_is_reported_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setattr(tracing, "version", missing)
    assert tracing.set_up() is False
    assert (
        "openinference-instrumentation is not installed; install what sends traces, or set OTEL_SDK_DISABLED=true"
        in caplog.text
    )


def test_the_sender_is_named_and_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables, expected in (
        ({}, ("llm4tag", "llm4tag")),
        ({"OTEL_SERVICE_NAME": "desk"}, ("desk", "llm4tag")),
        ({"OTEL_RESOURCE_ATTRIBUTES": "openinference.project.name=news"}, ("desk", "news")),
    ):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with Collector() as collector:
            monkeypatch.setenv(ENDPOINT, collector.endpoint)
            assert tracing.set_up()
            with tracing.span("look", "chain") as span:
                span.describe(content="c")
            tracing.flush()
            tracing.pause()
        resource = collector.resource
        assert (resource["service.name"], resource["openinference.project.name"]) == expected
        assert collector.names == ["look"]


def test_traces_that_nobody_receives_are_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    provider = exporting_provider()
    for _ in range(2):
        provider.get_tracer("test").start_span("look").end()
        provider.force_flush()
    provider.shutdown()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "traces are lost: nothing receives them" in caplog.text
