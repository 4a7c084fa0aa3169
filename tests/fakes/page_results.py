"""Results with evidence of every kind, and with names that try to be more than text."""

from llm4tag.schema import (
    C2C2TEvidence,
    C2TEvidence,
    CalibrationNote,
    Decision,
    Evidence,
    LinearEvidence,
    Neighbour,
    OffVocabulary,
    Origin,
    Provenance,
    Signals,
    T2TEvidence,
    TagDecision,
    TagLink,
    TagResult,
    Usage,
)

MARKUP = "<img src=x onerror=\"alert('run')\"><script>alert('run')</script>"
TURNED = "gnp.exe\u202eevil\u200b\x1b[31m \u00adé \U000e0041 日本"
WHY = CalibrationNote(reason="the store has no calibrator for results without an LLM: run `llm4tag calibrate`")
DEEP = CalibrationNote(reason="it lies below the candidates that the calibrator was fitted on")
MEASURED = CalibrationNote(status="calibrated", calibrator="2026-01-01")
TEXTS = {"h1": f"A content. {MARKUP} {TURNED} " + "words and words " * 30, "h2": "Short.", "__proto__": "odd"}
NAMES = {"games": "Games & <b>more</b>", "constructor": "Builders"}


def tag(
    id_: str,
    name: str,
    confidence: float,
    note: CalibrationNote,
    *evidence: Evidence,
    decision: Decision = Decision.REVIEW,
    signals: Signals | None = None,
) -> TagDecision:
    """Return a line of a result."""
    return TagDecision(
        id=id_,
        name=name,
        confidence=confidence,
        decision=decision,
        calibration=note,
        signals=signals or Signals(recall=confidence),
        evidence=evidence,
    )


def neighbour(id_: str, similarity: float, provenance: Provenance = Provenance.HUMAN) -> Neighbour:
    """Return a similar content."""
    return Neighbour(id=id_, similarity=similarity, provenance=provenance, weight=0.1)


BY_WORDS = C2TEvidence(
    score=1.0, unit=TURNED, unit_kind="alias", verbatim=True, keyword_score=8.125, part=MARKUP, vector_score=0.845
)
BY_NEIGHBOURS = C2C2TEvidence(
    score=0.625,
    round=2,
    support=3,
    looked_at=100,
    human_support=2,
    raw=0.5,
    neighbours=(
        neighbour("h1", 1.0),
        neighbour("h2", 0.615, Provenance.MODEL),
        neighbour("toString", 0.375),
        neighbour("__proto__", 0.335),
    ),
)
BY_LINKS = T2TEvidence(
    score=0.125,
    links=(
        TagLink(tag="games", kind="cooccurrence", weight=0.875),
        TagLink(tag="constructor", kind="parent", weight=0.005),
        TagLink(tag="toString", kind="child", weight=1.0),
    ),
)

TAGS = (
    tag("mail", f"Mail {MARKUP}", 0.965, MEASURED, BY_WORDS, BY_NEIGHBOURS, decision=Decision.ACCEPT),
    tag(
        TURNED,
        TURNED,
        0.125,
        MEASURED,
        LinearEvidence(score=0.005, raw=-0.125),
        BY_LINKS,
        signals=Signals(recall=0.1, agreement=2 / 3, samples=3, p_yes=0.625, yes_no_mass=0.9, rating=0.125),
    ),
    tag("links", "Only links", 0.08, DEEP, BY_LINKS, decision=Decision.REJECT),
    tag(
        "vector",
        "Only a vector",
        0.07,
        WHY,
        C2TEvidence(score=0.5, vector_score=0.5),
        decision=Decision.REJECT,
        signals=Signals(recall=0.1, yes_no_mass=0.0),
    ),
    tag(
        "__proto__",
        "Odd",
        0.06,
        WHY,
        C2TEvidence(score=0.5, unit="Odd", unit_kind="name"),
        decision=Decision.REJECT,
    ),
)


def result(*, degraded: str | None = None, tags: tuple[TagDecision, ...] = TAGS) -> TagResult:
    """Return a result of a server."""
    return TagResult(
        id=f"1 {TURNED}",
        tags=tags,
        cut=("more",),
        off_vocabulary=(OffVocabulary(name=MARKUP, count=2),),
        degraded=degraded,
        rounds=2,
        usage=Usage(llm_calls=4, prompt_tokens=100, seconds=1.5),
        origin=Origin(vocabulary="v", embedding="none", model="openai/fake"),
        notes=(f"a note {TURNED}",),
    )
