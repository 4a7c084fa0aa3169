"""How good the tags are: metrics over a labelled file, with intervals and where tags are lost."""

from llm4tag.evaluation.bootstrap import intervals
from llm4tag.evaluation.evaluation_report import Evaluation, FrequencyBin, evaluate
from llm4tag.evaluation.losses import Losses
from llm4tag.evaluation.metrics import METRICS, Document, Pairs, measure, pairs_of
from llm4tag.evaluation.sample import sample_ids

__all__ = [
    "METRICS",
    "Document",
    "Evaluation",
    "FrequencyBin",
    "Losses",
    "Pairs",
    "evaluate",
    "intervals",
    "measure",
    "pairs_of",
    "sample_ids",
]
