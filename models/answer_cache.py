"""Answers kept on disk by question and model, so that no question is paid for twice."""

from pathlib import Path

from pydantic import ValidationError

from llm4tag.models.disk_cache import GIBIBYTE, DiskStore
from llm4tag.models.language_model import Answer, Question
from llm4tag.schema import Usage


class AnswerCache:
    """The LLM's answers in ``cache_dir/answers``, as JSON.

    Args:
        cache_dir: the cache folder of llm4tag.
        identity: what answers depend on besides the question.
    """

    def __init__(self, cache_dir: Path, identity: str) -> None:
        self._store = DiskStore(cache_dir / "answers", 4 * GIBIBYTE)
        self._identity = identity

    async def get(self, question: Question) -> Answer | None:
        """Return the kept answer, its usage that of a replay; None when there is none, or it cannot be read.

        Raises:
            ModelError: the cache folder cannot be used.
        """
        key = question.key(self._identity)
        body = (await self._store.get([key])).get(key)
        if body is None:
            return None
        try:
            return replayed(Answer.model_validate_json(body))
        except ValidationError:
            return None

    async def put(self, question: Question, answer: Answer) -> None:
        """Keep an answer.

        Raises:
            ModelError: the cache folder cannot be used.
        """
        await self._store.put({question.key(self._identity): answer.model_dump_json().encode()})

    async def close(self) -> None:
        """Close the files; idempotent."""
        await self._store.close()


def replayed(answer: Answer) -> Answer:
    """Return the answer as one that cost nothing: no call, one cached answer."""
    return answer.model_copy(update={"usage": Usage(cached_answers=1)})
