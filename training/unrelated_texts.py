"""Texts about nothing that a vocabulary names: for these the prior of recall learns to accept nothing."""

import random
import string
from collections.abc import Sequence

EVERYDAY = (
    "We had soup for dinner and then watched the rain for an hour.",
    "My brother lost his red coat on the way to the beach last summer.",
    "The bakery on the corner sells bread that tastes of nothing at all.",
    "She sings while she waters the tomatoes, and the cat sleeps in the sun.",
    "Grandmother's chair is too old to sit on, but nobody wants to give it away.",
    "Three swans crossed the lake; one of them looked at us for a long time.",
    "He paid for the coffee, forgot his umbrella and walked home in the snow.",
    "The match ended two all after a late goal in stoppage time.",
    "Preheat the oven, mix the butter with the sugar and add two eggs.",
    "The king's second daughter married a shepherd, and they lived by the sea.",
    "The train was late again, so we bought peaches and sat on the platform until evening.",
    "Her uncle paints small blue boats and sells none of them.",
    "They argued about the colour of the curtains for most of the holiday.",
    "The twins are afraid of thunder, the dog is afraid of the twins.",
    "A long letter arrived on Sunday, and nobody dared to open it before lunch.",
    "The mayor cut the ribbon, the band played badly, and everyone clapped.",
    "Le petit chat dort au soleil pendant que la pluie tombe sur la ville.",
    "Gestern haben wir im Garten gegessen und lange über nichts geredet.",
    "Ayer comimos una sopa muy buena y luego dormimos la siesta.",
    "Wczoraj padał cały dzień i nikt nie wyszedł z domu.",
    "今天天气很好，我们去公园散步，然后吃了面条。",
    "昨日は雨が降ったので、家で本を読んだ。",
    "Вчера мы ели суп и смотрели на дождь.",
    "أكلنا الحساء ثم نظرنا إلى المطر.",
)
"""Sentences of everyday life, in several languages."""
SHORT = (
    *("test", "hello", "...", "n/a", "1", "the", "ok", "see attachment", "no title", "!!!", "123 456 789"),
    *("foo bar", "untitled document", "-", "Lorem ipsum dolor sit amet, consectetur adipiscing elit."),
)
"""What people type to try something out."""
_LENGTHS = (2, 3, 5, 10, 25, 60)


def unrelated_texts(count: int, seed: int) -> list[str]:
    """Return texts about nothing: sentences, short inputs, words in disorder and random letters.

    Args:
        count: how many.
        seed: of the choice.
    """
    drawn = random.Random(seed)
    makers = (
        lambda: " ".join(drawn.sample(EVERYDAY, drawn.choice((1, 1, 2, 4)))),
        lambda: _disordered(drawn),
        lambda: _letters(drawn),
    )
    found: list[str] = list(SHORT[: count // 4])
    while len(found) < count:
        found.append(makers[len(found) % len(makers)]())
    return found


def _disordered(drawn: random.Random) -> str:
    words: Sequence[str] = [word for text in EVERYDAY for word in text.split()]
    return " ".join(drawn.choice(words) for _ in range(drawn.choice(_LENGTHS)))


def _letters(drawn: random.Random) -> str:
    length = drawn.choice(_LENGTHS)
    return " ".join("".join(drawn.choices(string.ascii_lowercase, k=drawn.randint(3, 8))) for _ in range(length))
