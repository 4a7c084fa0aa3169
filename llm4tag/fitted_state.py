"""What is fitted in a store, and whether it still holds."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from llm4tag.calibration.passport import CalibratorSource, outgrown
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.tools.artifacts import CalibratorKind, load_calibrator, load_recall_fit, prior_for


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FittedRecall(_State):
    """The fit of recall on the store's history."""

    time: AwareDatetime
    tagged_contents: int
    """The number of tagged contents at the fit."""
    linear_tags: int
    """The number of tags that the linear scorer knows."""
    prior_moved_by: int
    """The number of contents that moved the prior; 0: it stays as it is."""
    outgrown: bool
    """Whether history has changed too much since: recall should be fitted again."""


class FittedCalibrator(_State):
    """A calibrator of the store."""

    source: CalibratorSource
    with_llm: bool
    time: AwareDatetime
    documents: int
    outgrown: bool
    """Whether history has changed too much since: confidences are estimated until it is made again."""


class FittedState(_State):
    """What is fitted in a store."""

    prior: str
    """Id of the prior of recall that the store starts from."""
    recall: FittedRecall | None
    calibrators: tuple[FittedCalibrator, ...]

    def in_words(self) -> dict[str, str]:
        """Return a line for recall and one for each calibrator, by name."""
        found = {"recall": f"by the shipped prior {self.prior}"}
        if (fit := self.recall) is not None:
            moved = f"moved by {fit.prior_moved_by:,} of them" if fit.prior_moved_by else "not moved"
            found["recall"] = (
                f"fitted on {fit.tagged_contents:,} tagged contents ({fit.time:%Y-%m-%d %H:%M}); "
                f"prior {self.prior}, {moved}{_OUTGROWN if fit.outgrown else ''}"
            )
        for one in self.calibrators:
            kind = "with an LLM" if one.with_llm else "without an LLM"
            source = "labelled contents" if one.source == "labels" else "contents of history"
            found[f"confidence {kind}, {one.source}"] = (
                f"calibrated on {one.documents:,} {source} ({one.time:%Y-%m-%d %H:%M})"
                f"{_OUTGROWN if one.outgrown else ''}"
            )
        if not self.calibrators:
            found["confidence"] = "estimated"
        return found


_OUTGROWN = "; history has changed by more than a tenth since"


async def fitted_state(store: KnowledgeStore) -> FittedState:
    """Return what is fitted in a store.

    Raises:
        StoreError: what is fitted cannot be read.
    """
    tagged = (await store.statistics()).tagged_contents
    fit = await load_recall_fit(store)
    recall = None
    if fit is not None:
        fitted = fit.linear.fitted
        recall = FittedRecall(
            time=fitted.time,
            tagged_contents=fitted.tagged_contents,
            linear_tags=len(fit.linear.tags),
            prior_moved_by=fit.fusion.note.fitted.documents if fit.fusion and fit.fusion.note else 0,
            outgrown=outgrown(fitted.tagged_contents, tagged),
        )
    calibrators = []
    for kind in CalibratorKind:
        calibrator = await load_calibrator(store, kind)
        if calibrator is not None:
            passport = calibrator.passport
            calibrators.append(
                FittedCalibrator(
                    source=passport.source,
                    with_llm=kind is CalibratorKind.LABELS_WITH_LLM,
                    time=passport.time,
                    documents=passport.documents,
                    outgrown=outgrown(passport.tagged_contents, tagged),
                )
            )
    return FittedState(prior=prior_for(store).id, recall=recall, calibrators=tuple(calibrators))
