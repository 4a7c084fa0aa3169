"""Writing the accepted tags of results to the store, as assignments of its contents."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm4tag.knowledge_store.ingest.contents import REQUIRED_CONTENT_COLUMNS, RowId, read_contents
from llm4tag.knowledge_store.ingest.ingest_report import IngestReport, IngestTally, Rejects
from llm4tag.knowledge_store.ingest.ingest_run import in_batches, rejects_folder, require_files
from llm4tag.knowledge_store.ingest.notices import SeenIds
from llm4tag.knowledge_store.ingest.row import Row, RowProblem
from llm4tag.knowledge_store.ingest.row_files import check_rows, read_rows
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.knowledge_store.records import Writing
from llm4tag.models.embedder import Progress
from llm4tag.schema import Assignment, Content, Decision, Provenance, TaggedContent, Vocabulary, now

_BATCH = 64


class _Tag(BaseModel):
    """The fields that are needed of a ``TagDecision``; a person may have edited the line."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1)
    confidence: float = Field(ge=0.0, le=1.0)
    decision: Decision


class _Result(BaseModel):
    """The fields that are needed of a ``TagResult``, and the text if the line has it."""

    model_config = ConfigDict(extra="ignore")

    id: RowId = Field(min_length=1)
    tags: tuple[_Tag, ...]
    text: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class _Accepted:
    """One result line with the tags to write."""

    row: Row
    result: _Result
    assignments: tuple[Assignment, ...]


class AcceptReport(IngestReport):
    """The report of accepting results; ``written`` counts contents."""

    assignments: int = 0
    """Number of tags that were written."""
    without_tags: int = 0
    """Number of results of which no tag was accepted."""


@dataclass(frozen=True, slots=True)
class AcceptPlan:
    """Which tags of a result are accepted, and with which provenance they are written."""

    provenance: Provenance = Provenance.MODEL
    min_confidence: float = 0.0
    include_review: bool = False

    def accepts(self, tag: _Tag) -> bool:
        """Return whether a tag is accepted."""
        decided = tag.decision is Decision.ACCEPT or (self.include_review and tag.decision is Decision.REVIEW)
        return decided and tag.confidence >= self.min_confidence

    def assignment(self, tag: _Tag, time: datetime) -> Assignment:
        """Return the assignment: its confidence is 1 if a human confirms the tag, otherwise the result's."""
        confidence = 1.0 if self.provenance is Provenance.HUMAN else tag.confidence
        return Assignment(tag=tag.id, provenance=self.provenance, confidence=confidence, time=time)


async def accept_results(
    store: KnowledgeStore,
    file: str,
    *,
    plan: AcceptPlan | None = None,
    contents: Sequence[str] = (),
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> AcceptReport:
    """Write the accepted tags of result lines to the store's contents.

    A content that the store lacks is added with the text of its line, or otherwise with that of ``contents``; if
    neither has it, the line is set aside. Other assignments of a content stay as they are.

    Args:
        store: the store to write to.
        file: the JSONL file of results, or ``-``.
        plan: which tags are accepted; by default those with the decision "accept", as the model's.
        contents: the files that were tagged, for contents that the store lacks.
        rejects: file for lines that are set aside; by default one next to the store.
        progress: called with the number of contents just written.

    Raises:
        UsageError: a file cannot be read, or no line is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    require_files([file])
    await asyncio.to_thread(check_rows, [file], ("id", "tags"))
    await asyncio.to_thread(check_rows, contents, REQUIRED_CONTENT_COLUMNS, text=True)
    vocabulary = await store.vocabulary()
    with Rejects([file], rejects_folder(store.location), rejects, also_read=contents) as aside:
        run = _Run(store, vocabulary, plan or AcceptPlan(), IngestTally("accept", [file], aside), progress)
        async for batch in in_batches(run.accepted(file), _BATCH):
            await run.write(batch)
        for path in contents if run.lacking else ():
            async for found in in_batches(read_contents(path, seen=SeenIds())):
                await run.write_lacking(found)
        run.give_up_lacking()
        return run.report()


class _Run:
    """One run of ``accept_results``."""

    def __init__(
        self,
        store: KnowledgeStore,
        vocabulary: Vocabulary,
        plan: AcceptPlan,
        tally: IngestTally,
        progress: Progress | None,
    ) -> None:
        self.lacking: dict[str, _Accepted] = {}
        self._store = store
        self._vocabulary = vocabulary
        self._plan = plan
        self._tally = tally
        self._progress = progress
        self._time = now()
        self._assignments = 0
        self._without_tags = 0

    def accepted(self, file: str) -> Iterator[_Accepted | RowProblem]:
        """Read result lines and choose their tags."""
        seen = self._tally.seen
        for row in read_rows(file):
            if isinstance(row, RowProblem):
                yield row
                continue
            try:
                result = _Result.model_validate(row.data)
            except ValidationError as error:
                yield row.invalid(error)
                continue
            duplicate = seen.duplicate(result.id, row)
            if duplicate:
                yield duplicate
                continue
            yield from self._chosen(row, result)

    def _chosen(self, row: Row, result: _Result) -> Iterator[_Accepted | RowProblem]:
        taken = [tag for tag in result.tags if self._plan.accepts(tag)]
        usable = [tag for tag in taken if tag.id in self._vocabulary.assignable]
        refused = [tag.id for tag in taken if tag.id not in self._vocabulary.assignable]
        if refused:
            yield row.problem(
                "tags",
                "; ".join(f"{tag!r} {self._why_not(tag)}" for tag in refused),
                "remove it from the line, or ingest a vocabulary that has it",
                raw={"id": result.id, "tags": refused} if usable else None,
                partial=bool(usable),
            )
        if usable or not refused:
            yield _Accepted(row, result, tuple(self._plan.assignment(tag, self._time) for tag in usable))

    def _why_not(self, tag_id: str) -> str:
        tag = self._vocabulary.get(tag_id)
        if tag is None:
            return "is no tag of the vocabulary"
        return "is a group" if tag.group else "is retired"

    async def write(self, batch: Sequence[_Accepted | RowProblem]) -> None:
        """Write the lines whose content is in the store or in the line; the others wait in ``lacking``."""
        lines: list[_Accepted] = []
        for item in self._tally.usable(batch):
            if not item.assignments:
                self._without_tags += 1
                self._tally.wrote(Writing(unchanged=1))
            else:
                lines.append(item)
        there = {content.id for content in await self._store.get_contents([line.result.id for line in lines])}
        new: list[TaggedContent] = []
        for line in lines:
            result = line.result
            if result.id in there:
                await self._store.assign(result.id, line.assignments)
                self._wrote(Writing(changed=1), line)
            elif result.text.strip() or result.title.strip():
                new.append(_tagged(Content(id=result.id, text=result.text, title=result.title), line))
            else:
                self.lacking[result.id] = line
        await self._add(new, {line.result.id: line for line in lines})

    async def write_lacking(self, found: Sequence[Content | RowProblem]) -> None:
        """Add the contents of the tagged files for which lines wait in ``lacking``."""
        new: list[TaggedContent] = []
        lines: dict[str, _Accepted] = {}
        for content in found:
            line = None if isinstance(content, RowProblem) else self.lacking.pop(content.id, None)
            if line is not None and isinstance(content, Content):
                new.append(_tagged(content, line))
                lines[content.id] = line
        await self._add(new, lines)

    async def _add(self, new: Sequence[TaggedContent], lines: dict[str, _Accepted]) -> None:
        if new:
            writing = await self._store.upsert_contents(new)
            self._tally.wrote(Writing(refused=writing.refused), new)
            refused = {each.id for each in writing.refused}
            for content in (content for content in new if content.id not in refused):
                self._wrote(Writing(added=1), lines[content.id])

    def _wrote(self, writing: Writing, line: _Accepted) -> None:
        self._tally.wrote(writing)
        self._assignments += len(line.assignments)
        if self._progress:
            self._progress(1)

    def give_up_lacking(self) -> None:
        """Set aside the lines whose content was found nowhere."""
        for line in self.lacking.values():
            self._tally.problem(
                line.row.problem(
                    "id",
                    f"neither the store nor the line has the text of {line.result.id!r}",
                    "give the file that was tagged too, by the option contents",
                )
            )

    def report(self) -> AcceptReport:
        """Return the report.

        Raises:
            UsageError: no line was usable.
        """
        self._tally.require_usable()
        return AcceptReport(
            **dict(self._tally.report()), assignments=self._assignments, without_tags=self._without_tags
        )


def _tagged(content: Content, line: _Accepted) -> TaggedContent:
    return TaggedContent(**dict(content), assignments=line.assignments)
