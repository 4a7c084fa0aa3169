"""What was fitted on a store's history, kept in the store and read once for each fit."""

import asyncio
from dataclasses import dataclass

from llm4tag.calibration.evidence_fusion import EvidenceFusion
from llm4tag.calibration.fitted import outgrown
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.tools.linear_model import LinearModel

LINEAR, FUSION, FIT = "recall.linear", "recall.fusion", "recall.fit"
"""Two artifacts, and the mark that tells one fit from the next."""


@dataclass(frozen=True)
class FittedRecall:
    """One fit: the linear scorer, and where enough documents back it the fusion."""

    fit: str
    """Tells this fit from others: the time of it."""
    linear: LinearModel
    fusion: EvidenceFusion | None

    def stale(self, tagged_contents: int) -> str:
        """Say that history has changed much since the fit, or return an empty text."""
        then = self.linear.fitted.tagged_contents
        if not outgrown(then, tagged_contents):
            return ""
        return (
            f"the linear scorer and the fusion were fitted on {then:,} tagged contents, now there are "
            f"{tagged_contents:,}: run `llm4tag store fit`"
        )


async def fit_in(store: KnowledgeStore) -> str | None:
    """Return what tells the store's fit from others; None where nothing is fitted."""
    return await store.get_mark(FIT)


async def load_fitted(store: KnowledgeStore) -> FittedRecall | None:
    """Read what was fitted; None where nothing is, or where it is of another embedding than the store's.

    Raises:
        StoreError: it cannot be read.
    """
    fit = await fit_in(store)
    linear = await store.get_artifact(LINEAR) if fit else None
    if fit is None or linear is None:
        return None
    model = await asyncio.to_thread(LinearModel.from_bytes, linear)
    if model.fitted.embedding != store.embedding:
        return None
    fusion = await store.get_artifact(FUSION)
    return FittedRecall(fit, model, None if fusion is None else EvidenceFusion.from_bytes(fusion))


async def keep_fitted(store: KnowledgeStore, linear: LinearModel | None, fusion: EvidenceFusion | None) -> None:
    """Keep a fit in the store, or with None remove what is there; readers see a whole fit or none."""
    await store.set_mark(FIT, None)
    data = None if linear is None else await asyncio.to_thread(linear.to_bytes)
    await store.set_artifact(LINEAR, data)
    await store.set_artifact(FUSION, None if fusion is None else fusion.to_bytes())
    if linear is not None:
        await store.set_mark(FIT, linear.fitted.time.isoformat())
