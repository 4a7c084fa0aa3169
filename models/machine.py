"""What this machine has: processor cores, and the packages that are installed only where they are wanted."""

import importlib
import os
from typing import Any

from llm4tag.schema import ModelNotFoundError
from llm4tag.schema.errors import Step


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def optional_package(name: str, use: str, step: Step) -> Any:
    """Import a package that llm4tag does not always install.

    Args:
        name: name of the package, or of a module in it.
        use: what the package does, to end the sentence "the package …, which …".
        step: the step that installs it.

    Raises:
        ModelNotFoundError: the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelNotFoundError(
            f"the package {name.partition('.')[0]}, which {use}, is not installed",
            remedy=f"{{{step.name.lower()}}}",
        ) from error
