"""Made-up results of labelled contents, whose candidates are right with known probabilities."""

import numpy as np

from llm4tag.schema import CalibrationNote, Decision, Origin, Signals, TagDecision, TagResult

CANDIDATES = 12


def probability(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


def labelled_results(
    documents: int, seed: int = 0, *, judged: bool = False, hard_tag: str = ""
) -> tuple[list[TagResult], dict[str, frozenset[str]]]:
    """Return results and their gold tags.

    Recall is overconfident by a factor of two in log odds. A judge sees what recall does not, says yes to most and
    leaves every third candidate out. ``hard_tag`` is right much seldomer than all signals say.
    """
    random = np.random.default_rng(seed)
    results, gold = [], {}
    for number in range(documents):
        decisions, right = [], {f"only-{number}"}
        for tag in (f"t{place}" for place in random.permutation(40)[:CANDIDATES]):
            seen, unseen = random.normal(-1.5, 1.5), random.normal(0.0, 1.5)
            truth = seen + unseen - (3.0 if tag == hard_tag else 0.0)
            if random.random() < probability(truth):
                right.add(tag)
            asked = judged and random.random() > 1 / 3
            signals = Signals(
                recall=probability(2.0 * seen + 1.0), p_yes=probability(unseen + 3.0) if asked else None
            )
            decisions.append((signals.recall or 0.0, tag, signals))
        name = f"d{number:04}"
        gold[name] = frozenset(right)
        results.append(
            TagResult(
                id=name,
                tags=tuple(
                    TagDecision(
                        id=tag,
                        name=tag.upper(),
                        confidence=confidence,
                        decision=Decision.REVIEW,
                        calibration=CalibrationNote(),
                        signals=signals,
                        evidence=(),
                    )
                    for confidence, tag, signals in sorted(decisions, reverse=True, key=lambda one: one[:2])
                ),
                origin=Origin(vocabulary="v", embedding="none", model=None),
            )
        )
    return results, gold
