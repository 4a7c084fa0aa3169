"""The local models that llm4tag can download, and where their files are published."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from llm4tag.schema import ModelNotFoundError
from llm4tag.schema.settings import LOCAL

PullProgress = Callable[[int, int], None]
"""Called with the number of bytes that are downloaded and their number in all."""


class KnownModel(BaseModel):
    """A model file in GGUF format.

    The sha256 is that of the file that its authors publish, so a file from anywhere else can be verified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int
    """Bytes."""
    licence: str
    repository: str | None
    """Repository on the hub; None where no copy of this file by its publisher is known."""
    part: str
    """Pattern of the names of the file's parts inside the packages; its group is the part's number."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The packages that contain the parts, each pinned by version and sha256."""
        text = resources.files(__package__).joinpath("pins", f"{self.name}.txt").read_text("utf-8")
        return tuple(line for line in text.splitlines() if line.strip())


_QWEN_PART = r"/data/part(\d+)\.bin$"

MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            licence="Apache-2.0",
            repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            part=_QWEN_PART,
        ),
        KnownModel(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size=491_400_064,
            licence="Apache-2.0",
            repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            part=_QWEN_PART,
        ),
        KnownModel(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            repository=None,
            part=r"\.gguf$",
        ),
    )
}


def known_model(name: str) -> KnownModel:
    """Return the known model of that name, with or without ``local/``.

    Raises:
        ModelNotFoundError: no known model has that name.
    """
    model = MODELS.get(name.removeprefix(LOCAL))
    if model is None:
        raise ModelNotFoundError(
            "there is no such local model",
            where=name,
            remedy=f"give one of {', '.join(MODELS)}, or {LOCAL}PATH.gguf for any other file",
        )
    return model


def models_folder(cache_dir: Path) -> Path:
    """Return the folder of the downloaded model files."""
    return cache_dir / "models"
