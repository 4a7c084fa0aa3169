"""Measures of how good tags are: metrics over labelled contents, with intervals and where tags are lost."""

from llm4tag.evaluation.bootstrap import intervals
from llm4tag.evaluation.evaluation_report import Evaluation, FrequencyBin, evaluate, history_counts
from llm4tag.evaluation.labelled_files import sample_ids
from llm4tag.evaluation.losses import Losses
from llm4tag.evaluation.metrics import METRICS, ConfidencePairs, RankedTags, measure, pairs_of

__all__ = [
    "METRICS",
    "ConfidencePairs",
    "Evaluation",
    "FrequencyBin",
    "Losses",
    "RankedTags",
    "evaluate",
    "history_counts",
    "intervals",
    "measure",
    "pairs_of",
    "sample_ids",
]
