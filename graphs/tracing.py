"""Spans of a run of the graph and of its nodes, where traces are on (``llm4tag.models.tracing``).

Not LangChain's instrumentation: it writes the whole state into every span, and two spans a node;
docs/how-to/look-at-traces.md has the figures.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langgraph.config import get_config
from langgraph.runtime import Runtime

from llm4tag.graphs.context import TagContext
from llm4tag.graphs.nodes.recall import content_of
from llm4tag.graphs.state import TaggingState, Update
from llm4tag.models import tracing
from llm4tag.models.tracing import Kind, Span
from llm4tag.prompts import PromptContext
from llm4tag.schema import Decision, Evidence, Usage, UsageError

NAME = "tagging"

_SHOWN = 10
"""Tags that a span names at most."""
_RETRIEVERS = frozenset({"search_tags", "search_contents", "classify", "follow_tags", "retrieve_knowledge"})


class Runs(BaseCallbackHandler):
    """Makes a span of each run of the graph, and knows in which run a node is."""

    run_inline = True

    def __init__(self) -> None:
        self._spans: dict[UUID, Span] = {}
        """Of every part of a run, the span of the whole run."""
        self._wholes: set[UUID] = set()

    @property
    def ignore_chain(self) -> bool:
        """Nothing to do while there are no traces."""
        return not tracing.on()

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin the span of a run; what is part of one belongs to it."""
        span = None if parent_run_id is None else self._spans.get(parent_run_id)
        if span is None:
            span = tracing.begin(NAME, "chain")
            span.add(_json("input", inputs) if isinstance(inputs, Mapping) else {})
            span.describe(content=_content_id(inputs))
            self._wholes.add(run_id)
        self._spans[run_id] = span

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """End the span of a run with its result."""
        span = self._spans.pop(run_id, None)
        if span is not None and run_id in self._wholes:
            self._wholes.discard(run_id)
            if isinstance(outputs, Mapping) and isinstance(outputs.get("tags"), list):
                _describe_result(span, outputs)
            span.succeed()
            span.end()

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End the span of a run that failed or was stopped."""
        span = self._spans.pop(run_id, None)
        if span is not None and run_id in self._wholes:
            self._wholes.discard(run_id)
            span.fail(error)
            span.end()

    def of_this(self) -> Span | None:
        """Return the span of the run that the calling node is part of."""
        manager = get_config().get("callbacks")
        part = manager.parent_run_id if isinstance(manager, BaseCallbackManager) else None
        return None if part is None else self._spans.get(part)


runs = Runs()
"""Every compiled graph's."""


async def traced(
    node: Callable[[TaggingState, Runtime[TagContext]], Coroutine[Any, Any, Update]],
    name: str,
    state: TaggingState,
    runtime: Runtime[TagContext],
) -> Update:
    """Do a node's work, and make a span of it where traces are on."""
    if not tracing.on():
        return await node(state, runtime)
    whole, recorder = runs.of_this(), _EventRecorder(runtime.stream_writer)
    token = tracing.content.set(_content_id(state))
    kind: Kind = "retriever" if name in _RETRIEVERS else "chain"
    try:
        with tracing.span(name, kind, parent=whole) as span:
            update = await node(state, runtime.override(stream_writer=recorder))
            span.describe(**recorder.facts)
            span.add(_documents(update))
            if isinstance(spent := update.get("spent"), Usage):
                span.describe(**_usage(spent.model_dump()))
            if failure := update.get("llm_failure"):
                span.describe(llm_failed=True, reason=failure.words if tracing.shows_texts() else None)
            return update
    finally:
        tracing.content.reset(token)


class _EventRecorder:
    """Passes the events of a node on, and records their fields."""

    def __init__(self, writer: Callable[[Any], None]) -> None:
        self._writer = writer
        self.facts: dict[str, Any] = {}

    def __call__(self, event: Any) -> None:
        self.facts |= {name: value for name, value in event.items() if name not in ("stage", "id")}
        self._writer(event)


def _content_id(state: Any) -> str | None:
    if isinstance(state, Mapping) and (known := state.get("content")) is not None:
        return str(known.id)
    try:
        return content_of(state).id
    except (UsageError, KeyError, TypeError, AttributeError):  # `prepare` says what is wrong
        return None


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return tokens under names of our own: viewers add up those of OpenInference, which the questions bear."""
    names = ("llm_calls", "cached_answers", "prompt_tokens", "completion_tokens", "cost")
    return {name: usage[name] for name in names}


def _describe_result(span: Span, result: Mapping[str, Any]) -> None:
    shown_tags = [tag for tag in result["tags"] if tag["decision"] != Decision.REJECT]
    shown = [{name: tag[name] for name in ("id", "confidence", "decision")} for tag in shown_tags[:_SHOWN]]
    span.add(_json("output", shown))
    accepted = sum(tag["decision"] == Decision.ACCEPT for tag in shown_tags)
    span.describe(
        content=result["id"], accepted=accepted, review=len(shown_tags) - accepted, rounds=result["rounds"]
    )
    span.describe(degraded=result["degraded"] is not None, **_usage(result["usage"]))


def _json(side: str, value: Any) -> dict[str, str]:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return {f"{side}.value": text, f"{side}.mime_type": "application/json"}


def _documents(update: Update) -> dict[str, Any]:
    """Return what a node found: tags with scores and evidence, or what the prompt will show."""
    documents: list[tuple[str, float | None, str]] = []
    shown = tracing.shows_texts()
    for found in update.get("found", {}).values():
        best: list[tuple[str, Evidence]] = sorted(found.items(), key=lambda item: -item[1].score)[:_SHOWN]
        documents += [
            (tag, item.score, item.model_dump_json(exclude={"score"}) if shown else "") for tag, item in best
        ]
    if shown and isinstance(prompt := update.get("prompt"), PromptContext):
        documents += [("example", None, f"{item.text}\n{', '.join(item.tags)}") for item in prompt.examples]
        documents += [(item.id, None, item.text) for item in prompt.passages]
    return {
        f"retrieval.documents.{number}.document.{name}": value
        for number, (tag, score, text) in enumerate(documents)
        for name, value in (("id", tag), ("score", score), ("content", text or None))
    }
