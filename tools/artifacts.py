"""What was fitted and is saved in a store, read again only when the store has another fit.

A fit is saved under a mark that is removed first and set last, so readers see a whole fit or none.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from llm4tag.calibration.calibrator import Calibrator
from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.calibration.passport import outgrown
from llm4tag.calibration.recall_prior import RecallPrior, shipped_prior
from llm4tag.knowledge_store.protocol import KnowledgeStore, TagCount
from llm4tag.models.embedder_registry import NO_EMBEDDING
from llm4tag.schema import Path
from llm4tag.tools.linear_archive import linear_from_bytes, linear_to_bytes
from llm4tag.tools.linear_model import LinearModel
from llm4tag.tools.phrases import PhraseIndex

LINEAR, FUSION = "recall.linear", "recall.fusion"
"""Names of the two artifacts of a fit of recall."""
RECALL_MARK = "recall.fit"
"""The mark whose value is the id of the fit."""


_FEWEST_NEW = 10
"""Nobody is warned of fewer contents than these that came or went since a fit."""


class CalibratorKind(StrEnum):
    """The calibrators that a store may have; the values name the artifacts."""

    LABELS_WITH_LLM = "confidence.llm"
    """Made from a labelled file, for results with an LLM."""
    LABELS = "confidence.recall"
    """Made from a labelled file, for results without an LLM."""
    HISTORY = "confidence.history"
    """Made from the store's own history, for results without an LLM."""

    @classmethod
    def choices(cls, *, with_llm: bool) -> "tuple[CalibratorKind, ...]":
        """Return the kinds that may hold for some results; the first that does is taken."""
        return (cls.LABELS_WITH_LLM,) if with_llm else (cls.LABELS, cls.HISTORY)


@dataclass(frozen=True)
class RecallFit:
    """What was fitted on a store's history: the linear scorer, and where it helps a moved fusion."""

    id: str
    """Identifies this fit: the time of it."""
    linear: LinearModel
    fusion: EvidenceFusion | None
    """None: the prior as it is was no worse on documents that had no part in the fit."""
    of_other_prior: bool = False
    """Whether the fusion moved another prior than the one that is shipped now, and is not used."""

    def warning(self, tagged_contents: int) -> str:
        """Return a warning that recall should be fitted again; empty where it need not."""
        if self.of_other_prior:
            return "recall was fitted by another version of llm4tag: it should be fitted again"
        then = self.linear.fitted.tagged_contents
        if not outgrown(then, tagged_contents) or abs(tagged_contents - then) < _FEWEST_NEW:
            return ""
        return (
            f"recall was fitted on {then:,} tagged contents, and there are {tagged_contents:,} now: it should be "
            "fitted again"
        )


def prior_for(store: KnowledgeStore) -> RecallPrior:
    """Return the prior of recall for a store: with embeddings or without."""
    return shipped_prior(vectors=store.embedding != NO_EMBEDDING)


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
    linear = await asyncio.to_thread(linear_from_bytes, data)
    if linear.fitted.embedding != store.embedding:
        return None
    fusion = await store.get_artifact(FUSION)
    moved = None if fusion is None else EvidenceFusion.from_bytes(fusion, prior_for(store))
    return RecallFit(fit, linear, moved, of_other_prior=fusion is not None and moved is None)


async def save_recall_fit(
    store: KnowledgeStore, linear: LinearModel | None, fusion: EvidenceFusion | None
) -> None:
    """Save a fit of recall in the store; without a linear scorer remove the fit that is there."""
    await store.set_mark(RECALL_MARK, None)
    data = None if linear is None else await asyncio.to_thread(linear_to_bytes, linear)
    await store.set_artifact(LINEAR, data)
    await store.set_artifact(FUSION, None if fusion is None else fusion.to_bytes())
    if linear is not None:
        await store.set_mark(RECALL_MARK, linear.fitted.time.isoformat())


async def calibrator_id(store: KnowledgeStore, kind: CalibratorKind) -> str | None:
    """Return the id of the store's calibrator of that kind; None where there is none."""
    return await store.get_mark(_calibrator_mark(kind))


async def load_calibrator(store: KnowledgeStore, kind: CalibratorKind) -> Calibrator | None:
    """Return the store's calibrator of that kind; None where there is none.

    Raises:
        StoreError: the calibrator cannot be read.
    """
    data = await store.get_artifact(kind) if await calibrator_id(store, kind) else None
    return None if data is None else await asyncio.to_thread(Calibrator.from_bytes, data)


async def save_calibrator(store: KnowledgeStore, kind: CalibratorKind, calibrator: Calibrator | None) -> None:
    """Save a calibrator in place of the one before; with None remove that."""
    await store.set_mark(_calibrator_mark(kind), None)
    data = None if calibrator is None else await asyncio.to_thread(calibrator.to_bytes)
    await store.set_artifact(kind, data)
    if calibrator is not None:
        await store.set_mark(_calibrator_mark(kind), calibrator.passport.id)


def _calibrator_mark(kind: CalibratorKind) -> str:
    return f"{kind}.fit"


@dataclass
class StoreReader:
    """A store with what is derived from it: read once, and again when the store has changed.

    One reader may serve many contents at the same time, in one event loop.
    """

    store: KnowledgeStore
    _phrases: PhraseIndex | None = None
    _recall_fit: RecallFit | None = None
    _recall_fit_id: str | None = None
    _facts: dict[bool, tuple[tuple[str, str | None], Mapping[str, TagCount], HistoryFacts]] = field(
        default_factory=dict
    )
    _calibrators: dict[CalibratorKind, tuple[str | None, Calibrator | None]] = field(default_factory=dict)
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

    async def facts(self, *, scored: bool = True) -> HistoryFacts:
        """Return what the store's present history says of its tags.

        Args:
            scored: whether the linear scorer may have a part.

        Raises:
            StoreError: the fit cannot be read.
        """
        fit = await self.recall_fit() if scored else None
        vocabulary, counts = await self.store.vocabulary(), await self.store.tag_counts()
        version = (vocabulary.version, fit.id if fit else None)
        known = self._facts.get(scored)
        # The store returns the same counts until assignments change.
        if known is None or known[0] != version or known[1] is not counts:
            given = {tag: count.human for tag, count in counts.items()}
            seen = fit.linear.seen if fit else frozenset[str]()
            facts = HistoryFacts.of(vocabulary, await self.tagged_contents(), given, seen)
            known = self._facts[scored] = (version, counts, facts)
        return known[2]

    async def fusion(self, paths: frozenset[Path]) -> EvidenceFusion:
        """Return the fusion of evidence: the prior, moved by history where all paths that it weighs are followed.

        Args:
            paths: the paths that are followed.

        Raises:
            StoreError: the fit cannot be read.
        """
        fit = await self.recall_fit()
        moved = fit.fusion if fit else None
        if moved is not None and moved.note is not None and moved.note.paths - {Path.T2T} <= paths:
            return moved
        return EvidenceFusion(await asyncio.to_thread(prior_for, self.store))

    async def calibrator(self, kind: CalibratorKind) -> Calibrator | None:
        """Return the store's present calibrator of that kind; None where there is none.

        Raises:
            StoreError: the calibrator cannot be read.
        """
        async with self._reading:
            fit = await calibrator_id(self.store, kind)
            known, calibrator = self._calibrators.get(kind, (None, None))
            if fit != known:
                calibrator = await load_calibrator(self.store, kind)
                self._calibrators[kind] = (fit, calibrator)
            return calibrator

    async def tagged_contents(self) -> int:
        """Return the number of contents that people have tagged."""
        return (await self.store.statistics()).tagged_contents
