"""Shared types: vocabulary, content, candidate, evidence, result, settings, errors."""

from schema.candidate import (
    C2C2TEvidence,
    C2TEvidence,
    Candidate,
    Evidence,
    LLMEvidence,
    Neighbour,
    Path,
    T2TEvidence,
    TagLink,
)
from schema.content import Assignment, Content, Passage, Provenance, TaggedContent, now
from schema.errors import (
    CostLimitError,
    EmbeddingMismatchError,
    Llm4tagError,
    ModelError,
    ModelNotFoundError,
    StoreError,
    StoreNotFoundError,
    StoreVersionError,
    UsageError,
)
from schema.result import CalibrationNote, Decision, OffVocabulary, Origin, TagDecision, TagResult, Usage
from schema.settings import DEFAULT_EMBEDDING, DEFAULT_MODEL, Settings, settings
from schema.vocabulary import Tag, Vocabulary, normal_name

__all__ = [
    "DEFAULT_EMBEDDING",
    "DEFAULT_MODEL",
    "Assignment",
    "C2C2TEvidence",
    "C2TEvidence",
    "CalibrationNote",
    "Candidate",
    "Content",
    "CostLimitError",
    "Decision",
    "EmbeddingMismatchError",
    "Evidence",
    "LLMEvidence",
    "Llm4tagError",
    "ModelError",
    "ModelNotFoundError",
    "Neighbour",
    "OffVocabulary",
    "Origin",
    "Passage",
    "Path",
    "Provenance",
    "Settings",
    "StoreError",
    "StoreNotFoundError",
    "StoreVersionError",
    "T2TEvidence",
    "Tag",
    "TagDecision",
    "TagLink",
    "TagResult",
    "TaggedContent",
    "Usage",
    "UsageError",
    "Vocabulary",
    "normal_name",
    "now",
    "settings",
]
