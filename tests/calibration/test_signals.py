"""Signals as rows of numbers, with missing ones marked."""

import math

import numpy as np
import pytest

from llm4tag.calibration.columns import SIGNALS
from llm4tag.calibration.signals import centred, gather, signal_rows
from llm4tag.schema import Signals
from llm4tag.schema.llm_answers import Judgement


def test_signals_are_raw_and_missing_ones_are_missing() -> None:
    said = {"a": Judgement(p_yes=None, mass=0.0), "b": Judgement(p_yes=0.7, mass=0.9)}
    found = gather({"a": 0.5, "b": 0.25, "c": 0.0}, {"a": (1 / 3, 3)}, said, {"b": 0.0})
    assert found["a"] == Signals(recall=0.5, agreement=1 / 3, samples=3, yes_no_mass=0.0)
    assert found["b"] == Signals(recall=0.25, p_yes=0.7, yes_no_mass=0.9, rating=0.0)
    assert found["c"] == Signals(recall=0.0)
    assert [found[tag].of_llm for tag in "abc"] == [True, True, False], "nobody asked the LLM about c"


def test_rows_are_logits_with_missing_marked() -> None:
    rows = signal_rows([Signals(recall=0.5, agreement=1.0, samples=3), Signals(recall=1.0, rating=0.0)])
    assert rows.shape == (2, len(SIGNALS))
    first, second = (dict(zip(SIGNALS, row, strict=True)) for row in rows.tolist())
    assert (first["recall"], first["agreement"]) == (0.0, pytest.approx(math.log(3.5 / 0.5)))
    assert math.isnan(first["p_yes"])
    assert math.isnan(first["rating"])
    assert math.isfinite(second["recall"]), "certainty is clipped"
    assert second["rating"] < -4, "0 is an answer, and no missing one"
    assert signal_rows([]).shape == (0, len(SIGNALS))


def test_centring_takes_away_what_is_said_of_all_and_leaves_missing_missing() -> None:
    rows = np.array([[1.0, math.nan], [3.0, math.nan], [math.nan, math.nan]])
    found = centred(rows)
    assert found[:2, 0].tolist() == [-1.0, 1.0]
    assert np.isnan(found[2, 0])
    assert np.isnan(found[:, 1]).all()
