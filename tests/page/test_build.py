"""The shipped build is made from the sources in the repository, and a wheel has it."""

import hashlib
import runpy
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILD = ROOT / "llm4tag" / "web"
OUTSIDE_SRC = (
    "../llm4tag/reporting/look.css",
    "index.html",
    "package-lock.json",
    "package.json",
    "schema.json",
    "tsconfig.json",
    "vite.config.ts",
)
HOW = "`npm ci --prefix web && npm run build --prefix web` builds it again"


LEAST_NODE = (20, 19)


@pytest.fixture
def npm() -> str:
    """Return npm's path, or skip where the sources cannot be built."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None or not (WEB / "node_modules").is_dir() or version(node) < LEAST_NODE:
        pytest.skip("the build is not made again: that needs Node 20.19 or later, and `npm ci --prefix web`")
    return npm


def version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2])


def test_the_build_is_of_these_sources() -> None:
    inside = [str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*") if path.is_file()]
    sources = hashlib.sha256()
    for name in sorted([*OUTSIDE_SRC, *inside]):
        sources.update(f"{name}\n{hashlib.sha256((WEB / name).read_bytes()).hexdigest()}\n".encode())
    assert (BUILD / "made-from.sha256").read_text().strip() == sources.hexdigest(), HOW


def test_the_types_are_those_of_the_schema() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "page-schema"))["written"]()
    assert (WEB / "schema.json").read_text(encoding="utf-8") == written, "run scripts/page-schema"


def test_the_sources_make_this_very_build(npm: str, tmp_path: Path) -> None:
    def run(*command: str) -> str:
        done = subprocess.run([npm, "run", "--silent", *command], cwd=WEB, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("types") == (WEB / "src" / "schema.ts").read_text(encoding="utf-8"), (
        "npm run -s types > src/schema.ts"
    )
    made = tmp_path / "made"
    run("build", "--", "--outDir", str(made))
    assert files(made) == files(BUILD), HOW


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_wheel_holds_the_build_and_what_else_is_no_code_and_not_the_sources(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here to build a wheel with")
    done = subprocess.run(
        [uv, "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"llm4tag/web/{name}" for name in files(BUILD)} <= set(names)
    judge = {
        f"llm4tag/models/judges/general/{name}" for name in ("adapter.json", "adapter.safetensors", "CARD.md")
    }
    assert judge | {
        "llm4tag/prompts/zh/judge.jinja",
        "llm4tag/prompts/profiles/news-zh.toml",
    } <= set(names)
    assert not [
        name for name in names if "node_modules" in name or name.startswith("web/") or name.endswith(".ts")
    ]
