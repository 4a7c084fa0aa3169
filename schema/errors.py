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

Every message names what went wrong, where, and what to do about it.
"""

from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError


class Llm4tagError(RuntimeError):
    """Base of every error that llm4tag raises on purpose; ``exit_code`` is the CLI's.

    A RuntimeError, as LangGraph's server keeps the words of an error to itself unless it is of a kind of Python's.
    """

    exit_code: ClassVar[int] = 1


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
        told = self.message.removeprefix("Value error, ")
        return told[0].lower() + told[1:]


def first_fault(error: "ValidationError") -> Fault:
    """Return what an error says first."""
    first = error.errors(include_url=False)[0]
    return Fault(".".join(map(str, first["loc"])), first["msg"], first["type"])
