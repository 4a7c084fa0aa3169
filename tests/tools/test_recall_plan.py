"""The recipe that recall follows, by what the store holds and the caller chooses."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import csr_array

from llm4tag.calibration.columns import FUSION_COLUMNS
from llm4tag.calibration.evidence_fusion import EvidenceFusion, FusionNote, FusionWeights
from llm4tag.calibration.passport import FitNote
from llm4tag.schema import Path, Recipe, UsageError
from llm4tag.tools.artifacts import RecallFit
from llm4tag.tools.linear_model import Cooccurrence, Dual, Kernel, LinearModel
from llm4tag.tools.recall_plan import ALL_PATHS, first_plan
from llm4tag.tools.terms import TermWeights

FITTED = FitNote(
    time=datetime(2026, 1, 1, tzinfo=UTC),
    vocabulary="v",
    embedding="none",
    tagged_contents=1000,
    documents=1000,
    seed=0,
    versions={},
)


def fitted(paths: frozenset[Path] | None = ALL_PATHS) -> RecallFit:
    """Return a fit that knows nothing; None for no fusion."""
    empty = np.zeros((0, 0), dtype=np.float32)
    terms = TermWeights([], np.zeros(0, dtype=np.float32))
    words = csr_array((0, 0), dtype=np.float32)
    model = LinearModel(
        FITTED,
        Kernel(0.5, 1.0),
        terms,
        words,
        None,
        [],
        [],
        Dual(empty, empty.ravel()),
        None,
        0.3,
        Cooccurrence.of(empty),
    )
    if paths is None:
        return RecallFit("now", model, None)
    weights = np.zeros(len(FUSION_COLUMNS) + 1)
    note = FusionNote(fitted=FITTED, paths=paths, pairs=0, fewest_tags=1, tags_a_document=1.0)
    return RecallFit("now", model, EvidenceFusion(note, FusionWeights(weights, weights)))


def test_the_recipe_follows_from_what_the_store_holds() -> None:
    assert first_plan(0, None, None, frozenset()).recipe is Recipe.VOCABULARY
    bare = first_plan(1000, None, None, frozenset())
    assert bare.recipe is Recipe.HISTORY
    assert bare.weight(Path.LINEAR) == 0, "nothing is fitted"
    scored = first_plan(1000, fitted(None), None, frozenset())
    assert scored.recipe is Recipe.HISTORY
    assert scored.weight(Path.LINEAR) > 0
    assert first_plan(1000, fitted(), None, frozenset()).recipe is Recipe.LEARNED


def test_the_caller_may_choose() -> None:
    assert first_plan(1000, fitted(), Recipe.HISTORY, frozenset()).recipe is Recipe.HISTORY
    assert first_plan(1000, fitted(), Recipe.VOCABULARY, frozenset()).weight(Path.C2C2T) == 0
    with pytest.raises(UsageError, match="none was fitted"):
        first_plan(1000, fitted(None), Recipe.LEARNED, frozenset())


def test_a_path_switched_off_takes_the_fusion_that_needs_it_along() -> None:
    plan = first_plan(1000, fitted(), None, frozenset({Path.C2T}))
    assert plan.recipe is Recipe.HISTORY
    assert Path.C2T not in plan.paths
    with pytest.raises(UsageError, match="switched off"):
        first_plan(1000, fitted(), Recipe.LEARNED, frozenset({Path.C2T}))
    without = fitted(ALL_PATHS - {Path.C2T})
    plan = first_plan(1000, without, None, frozenset())
    assert (plan.recipe, Path.C2T in plan.paths) == (Recipe.LEARNED, False), "it follows what it was fitted on"


def test_a_fit_gets_stale_when_history_grows_or_shrinks() -> None:
    assert fitted().warning(1000) == fitted().warning(1099) == ""
    assert "fitted on 1,000 tagged contents, and there are 1,200 now" in fitted().warning(1200)
    assert fitted().warning(500)
