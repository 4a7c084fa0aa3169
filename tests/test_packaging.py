"""What is installed: one import name, the same files from checkout and sdist, next to anybody's own modules."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.fakes.import_graph import LAYERS, ROOT

pytestmark = pytest.mark.timeout(600)


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def built(source: Path, out: Path, *formats: str) -> Path:
    subprocess.run(["uv", "build", "--quiet", *formats, "--out-dir", str(out), str(source)], check=True)
    (found,) = (file for file in out.iterdir() if file.suffix in {".whl", ".gz"})
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, tmp_path_factory.mktemp("wheel"), "--wheel")


def test_wheel_and_wheel_of_the_sdist_hold_the_same_files_all_in_one_package(wheel: Path, tmp_path: Path) -> None:
    sdist = built(ROOT, tmp_path / "sdist", "--sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    names = names_in(wheel)
    assert names == names_in(built(unpacked, tmp_path / "again", "--wheel"))
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"llm4tag"}
    assert {name.split("/")[1] for name in names if name.count("/") > 1} >= set(LAYERS)
    for file in ("schema/py.typed", "prompts/en/judge.jinja", "models/judges/general/adapter.safetensors"):
        assert f"llm4tag/{file}" in names


def test_it_works_next_to_packages_and_files_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    """An environment that has PyPI's ``schema``, a folder with the caller's own ``schema.py``, ``tools/``, …"""
    environment, work = tmp_path / "environment", tmp_path / "work"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    install = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    subprocess.run([*install, "schema", str(wheel)], check=True)
    # The libraries come from the environment of the tests, whose own llm4tag comes after the one under test.
    (packages,) = (environment / "lib").glob("python*/site-packages")
    (libraries,) = (path for path in sys.path if path.endswith("site-packages"))
    (packages / "libraries.pth").write_text(f"{libraries}\n")
    work.mkdir()
    for name in LAYERS:
        (work / f"{name}.py").write_text("raise ImportError('the caller has a file of that name')\n")
    for name in ("tools", "prompts"):
        (work / f"{name}.py").unlink()
        (work / name).mkdir()
        (work / name / "__init__.py").write_text("raise ImportError('the caller has a folder of that name')\n")
    code = (
        "import llm4tag; from llm4tag import Tagger, graph; from llm4tag.graphs.tagging import graph as same; "
        "assert graph is same; print(llm4tag.__file__)"
    )
    done = subprocess.run([python, "-c", code], cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(environment))
    (work / "schema.py").unlink()
    named = "import schema; print(schema.__file__)"
    found = subprocess.run([python, "-c", named], cwd=work, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(environment)), "PyPI's schema is there, and not ours"
    shown = subprocess.run([python, "-m", "llm4tag", "--version"], cwd=work, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "llm4tag" in shown.stdout
