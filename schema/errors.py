"""The exception tree.

    Llm4tagError
    ├── UsageError            wrong use, or nothing usable in the input     exit code 2
    ├── StoreError            the store failed                              exit code 1
    │   ├── StoreNotFoundError
    │   ├── StoreUnreachableError
    │   ├── StoreVersionError
    │   └── EmbeddingMismatchError
    └── ModelError            the LLM or the embedding model failed         exit code 1
        ├── ModelNotFoundError
        ├── ModelSetupError
        └── CostLimitError

Every error says what went wrong, where, and what to do about it, as data: callers read the fields, and the command
line spells options and steps as flags and commands.
"""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Step(StrEnum):
    """What a user can do about an error outside the call that raised it; the value says it in words."""

    MAKE_STORE = "make the store"
    INGEST_VOCABULARY = "ingest a vocabulary into the store"
    INGEST_HISTORY = "ingest tagged contents into the store"
    MOVE_STORE = "export the store with the version of llm4tag that wrote it, and import the file with this one"
    MIGRATE_STORE = "bring the store up to date, which embeds nothing again"
    EMBED_STORE = "embed the whole store with the other model"
    FIT_RECALL = "fit recall on the store's history"
    CALIBRATE = "calibrate on labelled contents"
    TAG_CONTENTS = "tag the contents again"
    PULL_MODEL = "download the model"
    MERGE_ADAPTER = "merge the adapter into its base"
    EXPORT_EXAMPLES = "export the examples again"
    LIST_PROFILES = "list the profiles"
    ADD_KEY = "add an API key"
    INSTALL_LOCAL = "install what runs models on this machine"
    INSTALL_SERVE = "install what the server needs"
    INSTALL_TRACE = "install what sends traces"
    INSTALL_REPORT = "install what draws figures"
    INSTALL_TRAIN = "install what trains a judge"
    INSTALL_READERS = "install the readers of other document formats"


class Spelling:
    """How a message names options and steps: here as Python has them."""

    def option(self, name: str) -> str:
        """Return an option as a reader of the message would write it."""
        return name

    def step(self, step: Step, details: dict[str, str]) -> str:
        """Return a step in words; ``details`` are those of the error."""
        return step.value


class Llm4tagError(RuntimeError):
    """Base of every error that llm4tag raises on purpose; ``exit_code`` is the command line's.

    A RuntimeError, because LangGraph's server hides the words of errors that are of no built-in kind.

    Args:
        what: went wrong, a clause without a full stop.
        where: the file, line, field or address that is concerned; comes before ``what``.
        option: the name of the option that is concerned, as the Python interface has it.
        remedy: what to do; may name options as ``{max_error}`` and members of ``Step`` as ``{fit_recall}``.
        details: values that a spelling of ``remedy`` may use, such as ``model`` for ``{pull_model}``.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, where: object = "", option: str = "", remedy: str = "", **details: object
    ) -> None:
        self.what = what
        self.where = str(where)
        self.option = option
        self.remedy = remedy
        self.details = {name: str(value) for name, value in details.items()}
        super().__init__(self.message())

    def message(self, spelling: Spelling | None = None) -> str:
        """Return the whole message in one line, options and steps in that spelling (None: Python's)."""
        spelling = spelling or Spelling()

        def spelled(found: re.Match[str]) -> str:
            name = found.group(1)
            step = Step.__members__.get(name.upper())
            return spelling.option(name) if step is None else spelling.step(step, self.details)

        parts = (self.where, spelling.option(self.option) if self.option else "", self.what)
        remedy = _PLACEHOLDER.sub(spelled, self.remedy)
        return ": ".join(part for part in parts if part) + (f"; {remedy}" if remedy else "")


class UsageError(Llm4tagError):
    """Wrong use, or nothing usable in the input."""

    exit_code: ClassVar[int] = 2


class StoreError(Llm4tagError):
    """The knowledge store failed."""


class StoreNotFoundError(StoreError):
    """No store at that location."""


class StoreUnreachableError(StoreError):
    """The store's server is not there, tried for long enough: nothing else will fare better now."""


class StoreVersionError(StoreError):
    """The store was written by an incompatible version."""


class EmbeddingMismatchError(StoreError):
    """The store was filled by another embedding model."""


class ModelError(Llm4tagError):
    """The LLM or the embedding model failed."""


class ModelNotFoundError(ModelError):
    """The model's file or package is not on this machine."""


class ModelSetupError(ModelError):
    """The model can never answer as it is set up: a key refused, an unknown name, a broken local model."""


class CostLimitError(ModelError):
    """The run would cost more than the user allows."""


class Fault(NamedTuple):
    """The first thing that is wrong with given data."""

    field: str
    """With dots; empty: the whole."""
    message: str
    """As pydantic has it."""
    kind: str

    @property
    def words(self) -> str:
        """The message, to go on a sentence with."""
        message = self.message.removeprefix("Value error, ")
        return message[0].lower() + message[1:]


def first_fault(error: "ValidationError") -> Fault:
    """Return what an error says first."""
    first = error.errors(include_url=False)[0]
    return Fault(".".join(map(str, first["loc"])), first["msg"], first["type"])
