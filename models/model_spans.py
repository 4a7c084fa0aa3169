"""Spans of questions to an LLM and of embedded texts: which attributes they have."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llm4tag.models.language_model import Answer, Question
from llm4tag.models.tracing import Span, span

_SHOWN_TEXTS = 20
_SHOWN_TOKENS = 5


class QuestionSpan:
    """The span of a question that was sent and is not answered yet."""

    def __init__(self, traced: Span) -> None:
        self._span = traced

    def describe_answer(self, answer: Answer) -> None:
        """Add the answer to the span; tokens and cost are those of this answer, none where it was cached."""
        if not self._span:
            return
        from openinference.instrumentation import Message as SpanMessage
        from openinference.instrumentation import TokenCount, get_llm_attributes, get_output_attributes

        usage = answer.usage
        counts = TokenCount(
            prompt=usage.prompt_tokens,
            completion=usage.completion_tokens,
            total=usage.prompt_tokens + usage.completion_tokens,
            prompt_details={"cache_read": usage.cached_prompt_tokens},
        )
        said = answer.text or answer.refusal
        message = SpanMessage(role="assistant", content=said)
        self._span.add(get_llm_attributes(output_messages=[message], token_count=counts))
        self._span.add(get_output_attributes(_with_alternatives(said, answer.first_token)))
        self._span.add({"llm.finish_reason": answer.finish_reason, "llm.cost.total": usage.cost})
        self._span.describe(cached=usage.cached_answers > 0)


@contextmanager
def question_span(model: str, question: Question) -> Iterator[QuestionSpan]:
    """Trace a question as part of a run, until its answer is there.

    Args:
        model: the model's name.
        question: the question that is sent.
    """
    with span("ask", "llm", alone=False) as traced:
        if traced:
            _describe_question(traced, model, question)
        yield QuestionSpan(traced)


def _describe_question(traced: Span, model: str, question: Question) -> None:
    from openinference.instrumentation import Message as SpanMessage
    from openinference.instrumentation import get_llm_attributes

    parameters = question.model_dump(
        include={"max_tokens", "temperature", "seed", "top_logprobs"}, exclude_none=True, mode="json"
    )
    messages = [SpanMessage(role=message.role, content=message.content) for message in question.messages]
    provider = model.partition("/")[0] if "/" in model else None
    traced.add(
        get_llm_attributes(
            model_name=model, provider=provider, invocation_parameters=parameters, input_messages=messages
        )
    )
    traced.describe(adapter=question.adapter)


def _with_alternatives(said: str, first_token: dict[str, float] | None) -> str:
    """Return an answer, with the log-probabilities of its first token where it has any."""
    if not first_token:
        return said
    best = sorted(first_token.items(), key=lambda item: -item[1])[:_SHOWN_TOKENS]
    return json.dumps({"text": said, "first_token": dict(best)}, ensure_ascii=False)


class EmbeddingSpan:
    """The span of texts that are being embedded."""

    def __init__(self, traced: Span) -> None:
        self._span = traced

    def describe_cached(self, count: int) -> None:
        """Add to the span how many of the texts have cached vectors."""
        self._span.describe(cached_texts=count)


@contextmanager
def embedding_span(model: str, texts: Sequence[str]) -> Iterator[EmbeddingSpan]:
    """Trace the embedding of texts as part of a run.

    Args:
        model: the model's name.
        texts: the texts that are embedded; the span shows the first 20.
    """
    with span("embed", "embedding", alone=False) as traced:
        if traced:
            from openinference.instrumentation import Embedding, get_embedding_attributes

            shown = [Embedding(text=text) for text in texts[:_SHOWN_TEXTS]]
            traced.add(get_embedding_attributes(model_name=model, embeddings=shown))
            traced.describe(texts=len(texts))
        yield EmbeddingSpan(traced)
