"""C2T: tags whose own name, alias or description resembles the content (paper section 3.1)."""

import asyncio
from collections.abc import Mapping, Sequence

from llm4tag.knowledge_store.protocol import Collection, Filters, Hit, KnowledgeStore, SearchQuery, UnitHit
from llm4tag.models.embedder import Vector
from llm4tag.schema import C2TEvidence
from llm4tag.tools.candidate_fusion import relative, strongest
from llm4tag.tools.phrases import PhraseIndex, Unit, WordPlaces
from llm4tag.tools.recall_plan import RecallPlan
from llm4tag.tools.text_parts import parts_of


async def recall_by_text(
    store: KnowledgeStore,
    text: str,
    vectors: Sequence[tuple[str, Vector]],
    plan: RecallPlan,
    phrases: PhraseIndex,
    allowed: frozenset[str],
    within: str | None = None,
) -> dict[str, C2TEvidence]:
    """Find tags by the words and vectors of a content.

    Args:
        store: where the tags are.
        text: the whole content.
        vectors: the vector of the whole first, with "" as its text, then those of its parts; empty: words alone.
        plan: depth, weights and cap_own.
        phrases: of the store's present vocabulary.
        allowed: the tags that may be found.
        within: the parent that all of these are under, for the store's own filter; None: no parent.

    Returns:
        The plan's ``cap_own`` best tags with their evidence: score = relative(relative(best unit's BM25) + phrase
        weight · phrase + coverage weight · coverage + vector weight · relative(cosine of the whole + best cosine
        of a part)).

    Raises:
        StoreError: the store failed.
    """
    filters = Filters(within=within)
    words = SearchQuery(text=text, alpha=0.0, limit=plan.depth, filters=filters)
    hits, described, by_vector = await asyncio.gather(
        store.search(Collection.UNITS, words),
        store.search(Collection.TAGS, words),
        store.search_many(
            Collection.TAGS,
            [SearchQuery(vector=v, alpha=1.0, limit=plan.depth, filters=filters) for _, v in vectors],
        ),
    )
    named = {tag: unit for tag, unit in phrases.find(text).items() if tag in allowed}
    cosines = _Cosines([part for part, _ in vectors], by_vector)
    covered = _coverage(hits, phrases, text)
    description = {hit.id: hit.keyword_score for hit in described}
    return _evidence(_best_units(hits), description, named, covered, cosines, plan)


async def part_vectors(
    store: KnowledgeStore, text: str, whole: Vector | None, plan: RecallPlan
) -> list[tuple[str, Vector]]:
    """Return the vectors of a content's whole (with an empty text) and of its parts (with theirs).

    Args:
        store: whose embedder is taken.
        text: of the content.
        whole: its vector; None in a store without embeddings: there are none.
        plan: the number of parts.

    Raises:
        ModelError: the embedder failed.
    """
    if whole is None:
        return []
    parts = parts_of(text, plan.parts)
    embedded = (await store.embed_queries(parts) if parts else None) or []
    return [("", whole), *zip(parts, embedded, strict=True)]


class _Cosines:
    """The cosines of a content's whole and parts, by tag."""

    def __init__(self, parts: Sequence[str], hits: Sequence[Sequence[Hit]]) -> None:
        self.summed: dict[str, float] = {}
        self.best: dict[str, tuple[float, str]] = {}
        self.whole: dict[str, float] = {}
        if not hits:
            return
        lists = [{hit.id: hit.vector_score or 0.0 for hit in found} for found in hits]
        # A tag beyond a list's depth has at most the cosine of its last hit.
        floors = [min(found.values(), default=0.0) for found in lists]
        for tag in set().union(*lists):
            cosines = [found.get(tag, floor) for found, floor in zip(lists, floors, strict=True)]
            top = max(range(len(cosines)), key=lambda i: cosines[i])
            self.best[tag] = (cosines[top], parts[top])
            self.whole[tag] = cosines[0]
            self.summed[tag] = cosines[0] + max(cosines[1:], default=0.0)


def _best_units(hits: Sequence[Hit]) -> dict[str, UnitHit]:
    best: dict[str, UnitHit] = {}
    for hit in hits:
        if isinstance(hit, UnitHit) and hit.keyword_score is not None:
            known = best.get(hit.tag)
            if known is None or hit.keyword_score > (known.keyword_score or 0.0):
                best[hit.tag] = hit
    return best


def _coverage(hits: Sequence[Hit], phrases: PhraseIndex, text: str) -> dict[str, float]:
    """Return for each tag the coverage of its name or alias that is covered best."""
    places = WordPlaces(text)
    best: dict[str, float] = {}
    for hit in hits:
        if isinstance(hit, UnitHit):
            best[hit.tag] = max(best.get(hit.tag, 0.0), phrases.coverage(hit.text, places))
    return best


def _evidence(
    units: Mapping[str, UnitHit],
    described: Mapping[str, float | None],
    named: Mapping[str, Unit],
    covered: Mapping[str, float],
    cosines: _Cosines,
    plan: RecallPlan,
) -> dict[str, C2TEvidence]:
    by_words = relative({tag: hit.keyword_score or 0.0 for tag, hit in units.items()})
    by_vector = relative(cosines.summed)
    summed = {
        tag: by_words.get(tag, 0.0)
        + plan.phrase_weight * (tag in named)
        + plan.coverage_weight * covered.get(tag, 0.0)
        + plan.vector_weight * by_vector.get(tag, 0.0)
        for tag in {*by_words, *named, *by_vector}
    }
    found: dict[str, C2TEvidence] = {}
    for tag, score in relative(strongest(summed, plan.cap_own)).items():
        unit, phrase = units.get(tag), named.get(tag)
        cosine, part = cosines.best.get(tag, (None, ""))
        found[tag] = C2TEvidence(
            score=score,
            round=plan.round,
            unit=phrase.text if phrase else unit.text if unit else "",
            unit_kind=phrase.kind if phrase else unit.kind if unit else "",
            verbatim=phrase is not None,
            coverage=covered.get(tag),
            part=part,
            keyword_score=unit.keyword_score if unit else None,
            description_score=described.get(tag),
            vector_score=cosine,
            whole_score=cosines.whole.get(tag),
        )
    return found
