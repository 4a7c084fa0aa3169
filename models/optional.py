"""Packages of extras: imported where they are needed, with the command that installs them where they are not."""

import importlib
from typing import Any

from llm4tag.schema import ModelNotFoundError


def optional_package(name: str, use: str, extra: str) -> Any:
    """Import a package of an extra.

    Args:
        name: of the package, or of a module in it.
        use: ends the sentence "the package …, which …".
        extra: of llm4tag, that holds it.

    Raises:
        ModelNotFoundError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelNotFoundError(
            f"the package {name.partition('.')[0]}, which {use}, is not installed; run "
            f"`pip install 'llm4tag[{extra}]'`"
        ) from error
