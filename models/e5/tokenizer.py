"""The model's tokeniser: SentencePiece unigram, by the ``tokenizers`` library."""

import re
from collections.abc import Sequence
from typing import Any

from llm4tag.models.e5.weights import Vocabulary

_SPACES = re.compile(" {2,}")


class Tokeniser:
    """Turns texts into token ids, without the first and last token."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        from tokenizers import Tokenizer
        from tokenizers.models import Unigram
        from tokenizers.pre_tokenizers import Metaspace

        pieces = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
        self._tokenizer: Any = Tokenizer(Unigram(pieces, vocabulary.unknown, byte_fallback=False))
        self._tokenizer.pre_tokenizer = Metaspace()
        self._characters = dict(vocabulary.characters)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, in order."""
        normal = [_SPACES.sub(" ", text.translate(self._characters)) for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(normal, add_special_tokens=False)]
