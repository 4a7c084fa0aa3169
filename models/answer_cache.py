"""The cache of the LLM's answers on disk, so that no question is paid for twice."""

from pathlib import Path

from pydantic import ValidationError

from llm4tag.models.disk_cache import GIBIBYTE, DiskCache
from llm4tag.models.language_model import Answer, Question
from llm4tag.schema import Usage


class AnswerCache:
    """Stores the LLM's answers in ``cache_dir/answers``, as JSON.

    Args:
        cache_dir: the cache folder of llm4tag.
        identity: everything that an answer depends on except the question.
    """

    def __init__(self, cache_dir: Path, identity: str) -> None:
        self._cache = DiskCache(cache_dir / "answers", 4 * GIBIBYTE)
        self._identity = identity

    async def get(self, question: Question) -> Answer | None:
        """Return the cached answer with the usage of a replay; None where none is readable.

        Raises:
            ModelError: the cache folder cannot be used.
        """
        key = question.key(self._identity)
        body = (await self._cache.get([key])).get(key)
        if body is None:
            return None
        try:
            return replayed(Answer.model_validate_json(body))
        except ValidationError:
            return None

    async def put(self, question: Question, answer: Answer) -> None:
        """Store an answer.

        Raises:
            ModelError: the cache folder cannot be used.
        """
        await self._cache.put({question.key(self._identity): answer.model_dump_json().encode()})

    async def close(self) -> None:
        """Close the cache's files; closing twice does no harm."""
        await self._cache.close()


def replayed(answer: Answer) -> Answer:
    """Return the answer as one that cost nothing: no call, one cached answer."""
    return answer.model_copy(update={"usage": Usage(cached_answers=1)})
