"""Calibrators, kept in the store: one for results with an LLM, one for those without."""

import asyncio

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.knowledge_store.protocol import KnowledgeStore

_NAMES = {True: "confidence.llm", False: "confidence.recall"}


def _mark(with_llm: bool) -> str:
    return f"{_NAMES[with_llm]}.fit"


async def calibrator_in(store: KnowledgeStore, with_llm: bool) -> str | None:
    """Return the id of the store's calibrator; None where none was fitted."""
    return await store.get_mark(_mark(with_llm))


async def load_calibrator(store: KnowledgeStore, with_llm: bool) -> Calibrator | None:
    """Read the store's calibrator; None where none was fitted.

    Raises:
        StoreError: it cannot be read.
    """
    data = await store.get_artifact(_NAMES[with_llm]) if await calibrator_in(store, with_llm) else None
    return None if data is None else await asyncio.to_thread(Calibrator.from_bytes, data)


async def keep_calibrator(store: KnowledgeStore, with_llm: bool, calibrator: Calibrator | None) -> None:
    """Keep a calibrator in place of the one before, or with None remove that; readers see a whole one or none."""
    await store.set_mark(_mark(with_llm), None)
    data = None if calibrator is None else await asyncio.to_thread(calibrator.to_bytes)
    await store.set_artifact(_NAMES[with_llm], data)
    if calibrator is not None:
        await store.set_mark(_mark(with_llm), calibrator.passport.id)
