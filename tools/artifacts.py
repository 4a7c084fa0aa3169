"""What was fitted and is saved in a store, read again only when the store has another fit.

A fit is saved under a mark that is removed first and set last, so readers see a whole fit or none.
"""

import asyncio
from dataclasses import dataclass, field

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.passport import outgrown
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.tools.linear_model import LinearModel
from llm4tag.tools.phrases import PhraseIndex

LINEAR, FUSION = "recall.linear", "recall.fusion"
"""Names of the two artifacts of a fit of recall."""
RECALL_MARK = "recall.fit"
"""The mark whose value is the id of the fit."""
_CALIBRATORS = {True: "confidence.llm", False: "confidence.recall"}
"""Names of the calibrators: for results with an LLM, and for those without."""


@dataclass(frozen=True)
class RecallFit:
    """What was fitted on a store's history: the linear scorer, and with enough documents the fusion."""

    id: str
    """Identifies this fit: the time of it."""
    linear: LinearModel
    fusion: EvidenceFusion | None

    def warning(self, tagged_contents: int) -> str:
        """Return a warning that history has changed much since the fit; empty where it has not."""
        then = self.linear.fitted.tagged_contents
        if not outgrown(then, tagged_contents):
            return ""
        return (
            f"recall was fitted on {then:,} tagged contents, and there are {tagged_contents:,} now: it should be "
            "fitted again"
        )


async def recall_fit_id(store: KnowledgeStore) -> str | None:
    """Return the id of the store's fit of recall; None where there is none."""
    return await store.get_mark(RECALL_MARK)


async def load_recall_fit(store: KnowledgeStore) -> RecallFit | None:
    """Return the store's fit of recall; None where there is none, or one of another embedding than the store's.

    Raises:
        StoreError: the fit cannot be read.
    """
    fit = await recall_fit_id(store)
    data = await store.get_artifact(LINEAR) if fit else None
    if fit is None or data is None:
        return None
    linear = await asyncio.to_thread(LinearModel.from_bytes, data)
    if linear.fitted.embedding != store.embedding:
        return None
    fusion = await store.get_artifact(FUSION)
    return RecallFit(fit, linear, None if fusion is None else EvidenceFusion.from_bytes(fusion))


async def save_recall_fit(
    store: KnowledgeStore, linear: LinearModel | None, fusion: EvidenceFusion | None
) -> None:
    """Save a fit of recall in the store; without a linear scorer remove the fit that is there."""
    await store.set_mark(RECALL_MARK, None)
    data = None if linear is None else await asyncio.to_thread(linear.to_bytes)
    await store.set_artifact(LINEAR, data)
    await store.set_artifact(FUSION, None if fusion is None else fusion.to_bytes())
    if linear is not None:
        await store.set_mark(RECALL_MARK, linear.fitted.time.isoformat())


async def calibrator_id(store: KnowledgeStore, with_llm: bool) -> str | None:
    """Return the id of the store's calibrator for results with an LLM, or without; None where there is none."""
    return await store.get_mark(_calibrator_mark(with_llm))


async def load_calibrator(store: KnowledgeStore, with_llm: bool) -> Calibrator | None:
    """Return the store's calibrator for results with an LLM, or without; None where there is none.

    Raises:
        StoreError: the calibrator cannot be read.
    """
    data = await store.get_artifact(_CALIBRATORS[with_llm]) if await calibrator_id(store, with_llm) else None
    return None if data is None else await asyncio.to_thread(Calibrator.from_bytes, data)


async def save_calibrator(store: KnowledgeStore, with_llm: bool, calibrator: Calibrator | None) -> None:
    """Save a calibrator in place of the one before; with None remove that."""
    await store.set_mark(_calibrator_mark(with_llm), None)
    data = None if calibrator is None else await asyncio.to_thread(calibrator.to_bytes)
    await store.set_artifact(_CALIBRATORS[with_llm], data)
    if calibrator is not None:
        await store.set_mark(_calibrator_mark(with_llm), calibrator.passport.id)


def _calibrator_mark(with_llm: bool) -> str:
    return f"{_CALIBRATORS[with_llm]}.fit"


@dataclass
class StoreReader:
    """A store with what is derived from it: read once, and again when the store has changed.

    One reader may serve many contents at the same time, in one event loop.
    """

    store: KnowledgeStore
    _phrases: PhraseIndex | None = None
    _recall_fit: RecallFit | None = None
    _recall_fit_id: str | None = None
    _calibrators: dict[bool, tuple[str | None, Calibrator | None]] = field(default_factory=dict)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def phrases(self) -> PhraseIndex:
        """Return the phrase index of the store's present vocabulary."""
        vocabulary = await self.store.vocabulary()
        if self._phrases is None or self._phrases.version != vocabulary.version:
            self._phrases = await asyncio.to_thread(PhraseIndex, vocabulary)
        return self._phrases

    async def recall_fit(self) -> RecallFit | None:
        """Return the store's present fit of recall; None where there is none.

        Raises:
            StoreError: the fit cannot be read.
        """
        async with self._reading:
            fit = await recall_fit_id(self.store)
            if fit != self._recall_fit_id:
                self._recall_fit, self._recall_fit_id = await load_recall_fit(self.store), fit
            return self._recall_fit

    async def calibrator(self, with_llm: bool) -> Calibrator | None:
        """Return the store's present calibrator for results with an LLM, or without; None where there is none.

        Raises:
            StoreError: the calibrator cannot be read.
        """
        async with self._reading:
            fit = await calibrator_id(self.store, with_llm)
            known, calibrator = self._calibrators.get(with_llm, (None, None))
            if fit != known:
                calibrator = await load_calibrator(self.store, with_llm)
                self._calibrators[with_llm] = (fit, calibrator)
            return calibrator

    async def tagged_contents(self) -> int:
        """Return the number of contents that people have tagged."""
        return (await self.store.statistics()).tagged_contents
