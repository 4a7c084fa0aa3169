"""The export of examples from a store: its history with the candidates that tagging would have found for it."""

from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm4tag.calibration.history_facts import HistoryFacts
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.prompts.judge_forms import PromptForm
from llm4tag.schema import Candidate, UsageError, Vocabulary
from llm4tag.tools.artifacts import StoreReader
from llm4tag.tools.candidate_fusion import by_probability
from llm4tag.tools.prompt_knowledge import similar_examples
from llm4tag.tools.recall import words_in
from llm4tag.tools.recall_plan import ALL_PATHS, RecallPlan
from llm4tag.training.held_out_evidence import EvidenceCollector
from llm4tag.training.judge_examples import (
    HELD_OUT,
    TRAIN,
    ExampleTag,
    Line,
    SimilarItem,
    TrainingExample,
    TrainingSet,
)
from llm4tag.training.recall_fit import Bar, fit_linear_showing, note_of_fit, tag_counts
from llm4tag.training.tagged_history import History, load_history

TOP, MISSED = 14, 2
HELD_OUT_SHARE = 0.1
_MOST_CONTENTS = 10_000
"""Of a larger history a sample is exported: all of its contents are compared with each other."""
_SLACK = 32
"""Characters beyond the limit, as control tokens are broken up by what follows them."""


@dataclass(frozen=True)
class ExportOptions:
    """The choices of an export."""

    top: int = TOP
    """How many of its best candidates each content has."""
    missed: int = MISSED
    """How many right tags that recall missed are added at most to each content to train on."""
    held_out: float = HELD_OUT_SHARE
    """Share of the contents that is held out; near-duplicates are held out together."""
    fewest_tags: int = 1
    """Contents with fewer tags are left out."""
    limit: int | None = None
    """Size of the sample of contents that is exported; None: all contents."""
    seed: int = 0


async def export_set(
    store: KnowledgeStore, name: str, form: tuple[str, PromptForm], options: ExportOptions, bar: Bar
) -> AsyncIterator[Line]:
    """Yield the head of a set, then its examples.

    Args:
        store: the store whose history is exported.
        name: name of the set.
        form: name of the prompt form, and the form.
        options: the choices of the export.
        bar: shows progress.

    Raises:
        UsageError: the history is too small.
        StoreError: the store failed.
    """
    history = await _history(store, options)
    total = len(history)
    fusion = await StoreReader(store).fusion(ALL_PATHS)
    linear = await fit_linear_showing(history, await note_of_fit(store, history, total, options.seed), bar)
    groups = groups_of([linear.duplicates[row] for row in range(total)])
    random = np.random.default_rng(options.seed)
    rows = _chosen(history, options, random)
    apart = held_out_groups(groups[rows], options.held_out, random)
    vocabulary = await store.vocabulary()
    facts = HistoryFacts.of(vocabulary, total, tag_counts(history), linear.model.seen)
    plan = RecallPlan.first(total, facts.novelty)
    yield TrainingSet(
        set=name,
        form=form[0],
        prompt=form[1].prompt,
        limits=form[1].limits,
        vocabulary=vocabulary.version,
        embedding=store.embedding,
        prior=fusion.prior.id,
        seed=options.seed,
        contents=len(rows),
        held_out=sum(int(groups[row]) in apart for row in rows),
    )
    evidence = EvidenceCollector(store, history, linear, facts, plan, options.seed)
    first = np.unique(groups, return_index=True)[1]  # by the number of the group
    with bar("recalling candidates", len(rows), "contents") as advance:
        async for row, candidates in evidence.candidates(rows):
            words = words_in(history.texts[row])
            candidates = by_probability(candidates, fusion, evidence.facts_without(row), words)
            group = int(groups[row])
            split = HELD_OUT if group in apart else TRAIN
            missed = options.missed if split == TRAIN else 0
            limits = form[1].limits
            yield TrainingExample(
                set=name,
                form=form[0],
                id=history.ids[row],
                group=history.ids[int(first[group])],
                split=split,
                text=prompt_excerpt(history.texts[row], limits.text),
                similar=await _similar(store, candidates, limits.similar),
                tags=_tags(candidates, set(history.tags[row]), vocabulary, options.top, missed, random),
            )
            advance(1)


async def _history(store: KnowledgeStore, options: ExportOptions) -> History:
    """Return the history in the order of ids, a sample of it where it is very large."""
    history = await load_history(store)
    if len(history) < 2:
        raise UsageError(
            f"{len(history)} tagged contents in the store, at least 2 are needed", remedy="{ingest_history}"
        )
    order = np.argsort(np.array(history.ids, dtype=np.str_), kind="stable")
    if len(order) > _MOST_CONTENTS:
        random = np.random.default_rng(options.seed)
        order = np.sort(random.choice(len(order), _MOST_CONTENTS, replace=False))
    return history.rows(order)


def _chosen(history: History, options: ExportOptions, random: np.random.Generator) -> list[int]:
    rich = np.flatnonzero([len(tags) >= options.fewest_tags for tags in history.tags])
    if options.limit is not None and options.limit < len(rich):
        rich = np.sort(random.choice(rich, options.limit, replace=False))
    if not len(rich):
        raise UsageError(
            f"no content has {options.fewest_tags} tags", option="fewest_tags", remedy="give a lower number"
        )
    return [int(row) for row in rich]


def prompt_excerpt(text: str, limit: int) -> str:
    """Return the beginning of a text, all that a prompt with that limit of characters can depend on."""
    return text[: limit + _SLACK]


def groups_of(duplicates: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the number of each document's group; a chain of near-duplicates of any length is one group.

    Args:
        duplicates: for each of n documents the rows of its near-duplicates.

    Returns:
        Numbers from 0, shape (n,).
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    lengths = [len(rows) for rows in duplicates]
    edges = csr_array(
        (np.ones(sum(lengths), dtype=np.int8), np.concatenate(duplicates), np.cumsum([0, *lengths])),
        shape=(len(duplicates), len(duplicates)),
    )
    groups: NDArray[np.int64] = connected_components(edges, directed=False)[1].astype(np.int64)
    return groups


def held_out_groups(groups: NDArray[np.int64], share: float, random: np.random.Generator) -> frozenset[int]:
    """Draw groups to hold out until they contain the share of all documents.

    They are never all groups; for a share above 0 they are at least one, if there are two.
    """
    names, sizes = np.unique(groups, return_counts=True)
    wanted = share * len(groups)
    chosen: list[int] = []
    taken = 0
    for place in random.permutation(len(names))[:-1]:
        if taken >= wanted:
            break
        # A group that is larger than the share would leave little to train on.
        if sizes[place] <= max(1.0, wanted):
            chosen.append(int(names[place]))
            taken += int(sizes[place])
    return frozenset(chosen)


async def _similar(store: KnowledgeStore, candidates: Sequence[Candidate], limit: int) -> tuple[SimilarItem, ...]:
    found = await similar_examples(store, candidates, limit, negatives=0)
    return tuple(SimilarItem(first_line=one.text.partition("\n")[0], tags=one.ids) for one in found)


def _tags(
    candidates: Sequence[Candidate],
    gold: Set[str],
    vocabulary: Vocabulary,
    top: int,
    missed: int,
    random: np.random.Generator,
) -> tuple[ExampleTag, ...]:
    """Return the best candidates, then right tags that are not among them, which are drawn at random."""
    recalled: dict[str, float | None] = {one.tag: one.score for one in candidates[:top]}
    lacking = sorted(gold - recalled.keys())
    drawn = random.choice(lacking, min(missed, len(lacking)), replace=False).tolist() if lacking else []
    return tuple(
        ExampleTag(
            id=tag,
            name=vocabulary[tag].name,
            description=vocabulary[tag].description,
            right=tag in gold,
            recall=None if score is None else round(score, 4),
        )
        for tag, score in {**recalled, **dict.fromkeys(drawn)}.items()
    )
