"""The linear scorer as bytes, and back: what is read comes from a store that a stranger may have written."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from llm4tag.calibration.archive import Arrays, array_of, packed, reading, sparse_arrays, sparse_rows, unpacked
from llm4tag.calibration.passport import FitNote
from llm4tag.schema.errors import Step
from llm4tag.tools.content_features import READERS, ContentFeatures, FeatureReader
from llm4tag.tools.landmark_regression import LandmarkRegression
from llm4tag.tools.linear_model import LinearModel
from llm4tag.tools.terms import TermWeights

FORMAT = 3


def linear_to_bytes(model: LinearModel) -> bytes:
    """Return a linear scorer as bytes, most numbers halved to float16."""
    head = {
        "format": FORMAT,
        "fitted": model.fitted.model_dump(mode="json"),
        "contents": list(model.contents),
        "tags": list(model.tags),
        "terms": {name: list(weights.terms) for name, weights in model.reader.terms.items()},
    }
    arrays: dict[str, Any] = {
        **sparse_arrays(model.labels, "labels"),
        "landmarks": model.landmarks.astype(np.int64),
    }
    for name, weights in model.reader.terms.items():
        arrays[f"{name}_idf"] = weights.idf.astype(np.float16)
        arrays |= sparse_arrays(model.features.parts[name], name)
    for name, regression in (("mixed", model.mixed), ("titled", model.titled)):
        arrays[f"{name}_to_features"] = regression.to_features
        arrays[f"{name}_weights"] = regression.weights.astype(np.float16)
    if model.features.vectors is not None and model.reader.centre is not None:
        arrays["vectors"] = model.features.vectors.astype(np.float16)
        arrays["centre"] = model.reader.centre
    return packed(head, arrays)


def linear_from_bytes(data: bytes) -> LinearModel:
    """Read what ``linear_to_bytes`` wrote.

    Raises:
        StoreError: the bytes are no such model, are of another format, or contradict themselves.
    """
    with reading("linear scorer", Step.FIT_RECALL):
        head, arrays = unpacked(data)
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this version reads {FORMAT}")
        return _model(head, arrays)


def _model(head: Mapping[str, Any], arrays: Arrays) -> LinearModel:
    contents, tags = _texts(head["contents"]), _texts(head["tags"])
    terms, parts = {}, {}
    for name, read in READERS.items():
        known = _texts(head["terms"][name])
        idf = array_of(arrays, f"{name}_idf", (len(known),)).astype(np.float32)
        terms[name] = TermWeights(known, idf, read)
        parts[name] = sparse_rows(arrays, name, (len(contents), len(known)))
    vectors = centre = None
    if "vectors" in arrays:
        centre = array_of(arrays, "centre", (None,)).astype(np.float32)
        vectors = array_of(arrays, "vectors", (len(contents), len(centre))).astype(np.float32)
    landmarks = array_of(arrays, "landmarks", (None,)).astype(np.int64)
    if len(landmarks) and (landmarks.min() < 0 or landmarks.max() >= len(contents)):
        raise ValueError("a landmark is no content")
    mixed, titled = (_regression(arrays, name, len(landmarks), len(tags)) for name in ("mixed", "titled"))
    return LinearModel(
        fitted=FitNote.model_validate(head["fitted"]),
        reader=FeatureReader(terms, centre),
        features=ContentFeatures(parts, vectors),
        contents=contents,
        tags=tags,
        labels=sparse_rows(arrays, "labels", (len(contents), len(tags))),
        landmarks=landmarks,
        mixed=mixed,
        titled=titled,
    )


def _regression(arrays: Arrays, name: str, landmarks: int, tags: int) -> LandmarkRegression:
    to_features = array_of(arrays, f"{name}_to_features", (landmarks, None)).astype(np.float32)
    weights = array_of(arrays, f"{name}_weights", (to_features.shape[1], None)).astype(np.float32)
    if weights.shape[1] > tags:
        raise ValueError(f"{name}_weights has more tags than there are")
    return LandmarkRegression(to_features, weights)


def _texts(values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("a list of texts is expected")
    if len(set(values)) != len(values):
        raise ValueError("a list has the same text twice")
    return values
