"""The columns of numbers in which evidence and signals are weighed: one table for the fusion and the calibrator.

The fusion of recall weighs evidence; the calibrator weighs recall's probability, the LLM's signals, and the part
of the evidence that a result line has by itself (how often a tag is given, and what the linear scorer says, is in
recall's probability already). Logarithms are natural; a rank is ln(1 + place) with the best at place 0, and equal
values share the better place. Tags that only a model gave have no part in any number
(``llm4tag.tools.content_to_content``).

No column is a plain cosine of a content and a tag: its scale depends on the embedding model. How far a cosine
lies above the others, in standard deviations, does not.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column: its name, what its number is, and who weighs it."""

    name: str
    meaning: str
    fusion: bool = True
    calibrator: bool = False


LLM_SIGNALS = ("agreement", "p_yes", "rating")
"""The signals that the LLM gives, as ``schema.Signals`` names them."""
SIGNALS = ("recall", *LLM_SIGNALS)


def _signal_columns() -> tuple[Column, ...]:
    recall = (
        Column("recall", "log odds of recall's probability", False, True),
        Column("recall centred", "the same less its mean over the content's candidates", False, True),
        Column("recall place", "rank of recall's probability", False, True),
    )
    of_llm = (
        part
        for name in LLM_SIGNALS
        for part in (
            Column(name, f"log odds of {name}; 0 where it is missing", False, True),
            Column(f"{name} centred", "the same less its mean over the candidates that have it", False, True),
            Column(f"{name} asked", "1 where the signal is there, else 0", False, True),
        )
    )
    return (*recall, *of_llm)


_LINEAR = (
    Column("linear", "score by the linear scorer; of a scored tag without evidence the lowest, of others 0"),
    Column("linear_squared", "its square, clipped to [0, 1] before"),
    Column("ln_linear", "logarithm of the score; 0 for a tag that is not scored"),
    Column("linear_share", "score as a share of the content's best"),
    Column("linear_rank", "rank of the score; 0 for a tag that is not scored"),
    Column("linear_top", "the content's best score"),
    Column("linear_sum", "sum of the content's scores, clipped to [0, 1]"),
    Column("company", "how much the best tags speak for this one by co-occurrence"),
    Column("ln_company", "its logarithm; 0 for a tag that is not scored"),
    Column("closest", "the largest part of that"),
    Column("ln_closest", "its logarithm; 0 for a tag that is not scored"),
    Column("titled", "score by the linear scorer where the first line counts once more"),
    Column("ln_titled", "its logarithm; 0 for a tag that is not scored"),
    Column("titled_rank", "its rank; 0 for a tag that is not scored"),
    Column("titled_share", "that score as a share of the content's best"),
    Column("nearness", "how alike the nearest content of history is, from 0 to 1"),
    Column("ln_nearness", "its logarithm; 0 where no tag is scored"),
    Column("wide", "score by the product of words and vectors"),
    Column("ln_wide", "its logarithm; 0 for a tag that is not scored"),
    Column("wide_rank", "its rank; 0 for a tag that is not scored"),
)
_NEIGHBOURS = (
    Column("neighbours", "share of the similar contents' weight that carries the tag", calibrator=True),
    Column("neighbours_nearest", "the same over the nearest half, similarity weighing more", calibrator=True),
    Column("neighbours_words", "the same over those nearest by words", calibrator=True),
    Column("neighbours_vector", "the same over those nearest by vector", calibrator=True),
    Column("ln_neighbours", "logarithm of neighbours", calibrator=True),
    Column("ln_neighbours_nearest", "logarithm of neighbours_nearest"),
    Column("ln_neighbours_words", "logarithm of neighbours_words"),
    Column("ln_neighbours_vector", "logarithm of neighbours_vector"),
    Column("neighbours_rank", "rank of neighbours", calibrator=True),
    Column("neighbours_support", "ln(1 + similar contents to which people gave the tag)"),
    Column("neighbour_bm25", "ln(1 + BM25) of the neighbour with the tag that is nearest by words"),
    Column("neighbour_bm25_top", "the content's best of these"),
    Column("neighbour_cosine", "centred cosine of the neighbour with the tag that is nearest by vector"),
    Column("neighbour_cosine_top", "the content's best of these"),
)
_OWN_WORDS = (
    Column("own_words", "C2T's score, from 0 to 1"),
    Column("ln_own_words", "its logarithm"),
    Column("own_words_rank", "its rank"),
    Column("name_bm25", "ln(1 + BM25) of the tag's best name or alias", calibrator=True),
    Column("name_bm25_share", "that BM25 as a share of the content's best", calibrator=True),
    Column("name_bm25_top", "the content's best"),
    Column("description_bm25", "ln(1 + BM25) of name, aliases and description together", calibrator=True),
    Column("description_bm25_share", "that BM25 as a share of the content's best", calibrator=True),
    Column("description_bm25_top", "the content's best"),
    Column("part_share", "cosine of the nearest part, between the content's lowest and highest", calibrator=True),
    Column("part_deviation", "the same in standard deviations above the content's mean"),
    Column("part_deviation_top", "the content's highest"),
    Column("whole_share", "cosine of the whole content, between the content's lowest and highest"),
    Column("whole_deviation", "the same in standard deviations above the content's mean"),
    Column("whole_deviation_top", "the content's highest"),
    Column("verbatim", "1 where the name or an alias occurs in the content word for word", calibrator=True),
    Column("verbatim_count", "ln(1 + candidates that do)", calibrator=True),
    Column("verbatim_share", "verbatim as a share of the candidates that do"),
    Column("verbatim_words", "verbatim times ln(1 + words of that name or alias)"),
    Column("coverage", "how much of a name or alias occurs within four words of the content"),
)
_FAMILY = tuple(
    Column(f"{relation}_{of}", f"{meaning} by {words}, from 0 to 1")
    for of, words in (("linear", "the linear scorer"), ("own_words", "own words"))
    for relation, meaning in (
        ("parent", "best score of a parent"),
        ("sibling", "best score of a tag with the same parent"),
        ("child", "best score of a child"),
        ("family", "sum of the scores of tags with the same parent"),
    )
)
_STORE = (
    Column("frequency", "log2(1.2 + contents with the tag)"),
    Column("share_of_history", "ln((contents with the tag + .5) / (contents + 1)); 0 without history"),
    Column("ln_words", "ln(1 + words of the content)"),
)
PRODUCTS = (
    ("ln_linear", "ln_linear"),
    ("ln_linear", "ln_nearness"),
    ("ln_titled", "ln_neighbours"),
    ("ln_neighbours", "ln_neighbours"),
    ("linear_rank", "linear_rank"),
    ("part_share", "part_share"),
    ("linear", "neighbours"),
    ("linear", "name_bm25"),
    ("ln_linear", "ln_neighbours"),
    ("ln_linear", "ln_neighbours_vector"),
    ("ln_linear", "frequency"),
    ("ln_neighbours", "frequency"),
    ("part_share", "frequency"),
    ("verbatim", "frequency"),
    ("own_words_rank", "own_words_rank"),
    ("verbatim", "part_share"),
    ("verbatim", "own_words"),
    ("own_words_rank", "ln_words"),
    ("part_share", "ln_words"),
    ("own_words", "frequency"),
    ("own_words_rank", "frequency"),
)
"""Pairs of columns that weigh more, or less, together; each makes a column of its own."""


def product_name(one: str, other: str) -> str:
    """Return the name of the column that is the product of two."""
    return f"{one} x {other}"


TABLE = (
    *_signal_columns(),
    *_LINEAR,
    *_NEIGHBOURS,
    *_OWN_WORDS,
    *_FAMILY,
    *_STORE,
    *(Column(product_name(one, other), f"{one} times {other}") for one, other in PRODUCTS),
)
"""All columns, in the order in which they are stored."""
FUSION_COLUMNS = tuple(column.name for column in TABLE if column.fusion)
"""The columns of ``evidence_rows.evidence_rows``."""
CALIBRATOR_COLUMNS = tuple(column.name for column in TABLE if column.calibrator)
"""The columns of ``signals.calibrator_rows``."""
RECALL_COLUMNS = tuple(name for name in CALIBRATOR_COLUMNS if name.split()[0] == "recall")
EVIDENCE_COLUMNS = tuple(name for name in CALIBRATOR_COLUMNS if name in FUSION_COLUMNS)
"""The evidence that a calibrator may weigh."""


def columns_of_signal(name: str) -> tuple[str, ...]:
    """Return the columns that one signal makes by itself."""
    return ("recall",) if name == "recall" else (name, f"{name} centred", f"{name} asked")
