"""Ingesting background knowledge: passages from JSONL, and from documents that are cut into passages."""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm4tag.knowledge_store.ingest.contents import RowId, note_unread
from llm4tag.knowledge_store.ingest.documents import DOCUMENT_SUFFIXES, Splitter, read_document, readable_suffixes
from llm4tag.knowledge_store.ingest.ingest_report import IngestReport, IngestTally, Rejects
from llm4tag.knowledge_store.ingest.ingest_run import batch_size, in_batches, rejects_folder, require_files
from llm4tag.knowledge_store.ingest.input_formats import check_file, unknown_format
from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.knowledge_store.ingest.row_files import read_rows
from llm4tag.knowledge_store.protocol import KnowledgeStore
from llm4tag.models.embedder import Progress
from llm4tag.schema import Passage, UsageError

CHUNK_SIZE = 256
"""The greatest number of tokens (as GPT counts them) of a passage."""
CHUNK_OVERLAP = 32
"""Number of tokens that a passage shares with the one before."""
_ROWS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


class _PassageRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: RowId = Field(min_length=1)
    text: str = Field(min_length=1)
    title: str = ""


_KNOWN_FIELDS = frozenset(_PassageRow.model_fields)


@dataclass(frozen=True, slots=True)
class _Source:
    """One file of knowledge; ``key`` names it in the store, whatever the current folder is."""

    path: str
    key: str

    @property
    def rows(self) -> bool:
        return self.path.lower().endswith(_ROWS)

    @property
    def mark(self) -> str:
        return _mark(self.key)


def _mark(key: str) -> str:
    return f"knowledge:file:{key}"


async def ingest_knowledge(
    store: KnowledgeStore,
    paths: Sequence[str],
    *,
    replace: bool = False,
    chunk_size: int = CHUNK_SIZE,
    chunk_overlap: int = CHUNK_OVERLAP,
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Ingest passages; a file that has not changed is skipped, and a changed one replaces its passages.

    Args:
        store: the store to write to.
        paths: JSONL files of ``{"id", "title", "text"}``, documents, or folders of both, at any depth.
        replace: remove the passages of files that have vanished from a folder since it was ingested.
        chunk_size: the greatest number of tokens of a passage; longer texts are cut at sentences.
        chunk_overlap: number of tokens that a passage shares with the one before.
        rejects: file for rows and documents that are set aside; by default one for each input, next to the store.
        progress: called with the number of passages just written.

    Raises:
        UsageError: a path cannot be read, or nothing in the files is usable.
        StoreError: the store failed.
        ModelError: the embedding model failed.
    """
    splitter = Splitter(chunk_size, chunk_overlap)
    folders = [path for path in paths if Path(path).is_dir()]
    found = await asyncio.to_thread(_sources, paths)
    sources = [source for _, of_path, _ in found for source in of_path]
    with Rejects([source.path for source in sources], rejects_folder(store.location), rejects) as aside:
        run = _Run(store, splitter, IngestTally("knowledge", paths, aside), replace, progress)
        for path, _, unread in found:
            run.note_unread_files(path, unread)
        for folder, of_folder in [(path, of_path) for path, of_path, _ in found if path in folders]:
            await run.follow_folder(folder, of_folder)
        for source in sources:
            await run.source(source)
        run.tally.require_usable()
        return run.tally.report()


def check_knowledge(paths: Sequence[str]) -> None:
    """Make sure that files and folders can be read; this needs no store.

    Raises:
        UsageError: no path is given, one is given twice, or one cannot be read.
    """
    _sources(paths)


def _sources(paths: Sequence[str]) -> list[tuple[str, list[_Source], Counter[str]]]:
    """Return for each path its files, and the number of a folder's files of each kind that is not read."""
    require_files(paths)
    readable = readable_suffixes()
    found: list[tuple[str, list[_Source], Counter[str]]] = []
    keys: set[str] = set()
    for path in paths:
        files, unread = [path], Counter[str]()
        if Path(path).is_dir():
            files, unread = _folder_files(Path(path), readable)
        elif not path.lower().endswith(_ROWS):
            check_file(path)
            _require_readable(path, readable)
        sources = [_Source(file, Path(file).resolve().as_posix()) for file in files]
        for source in sources:
            check_file(source.path)
        found.append((path, [source for source in sources if source.key not in keys], unread))
        keys.update(source.key for source in sources)
    return found


def _folder_files(folder: Path, readable: frozenset[str]) -> tuple[list[str], Counter[str]]:
    files: list[str] = []
    unread: Counter[str] = Counter()
    for at, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            suffix = Path(name).suffix.lower()
            if name.startswith(".") or name.endswith(".rejected.jsonl"):
                continue
            if suffix in readable or name.lower().endswith(_ROWS):
                files.append(str(Path(at) / name))
            else:
                unread[suffix or "without extension"] += 1
    return files, unread


def _require_readable(path: str, readable: frozenset[str]) -> None:
    suffix = Path(path).suffix.lower()
    if suffix in readable:
        return
    if suffix in DOCUMENT_SUFFIXES:
        raise UsageError(f"reading {suffix} needs another package", where=path, remedy="{install_readers}")
    raise unknown_format(path, f"{', '.join(sorted({*readable, *_ROWS}))}, and folders")


class _Run:
    """One run of ``ingest_knowledge``."""

    def __init__(
        self,
        store: KnowledgeStore,
        splitter: Splitter,
        tally: IngestTally,
        replace: bool,
        progress: Progress | None,
    ) -> None:
        self.tally = tally
        self._store = store
        self._splitter = splitter
        self._replace = replace
        self._progress = progress

    def note_unread_files(self, path: str, unread: Counter[str]) -> None:
        """Add notices for the files of a folder that are of a kind that is not read."""
        for suffix, count in sorted(unread.items()):
            self.tally.notes.add("unread", f"{count} files not read: {suffix}", path)

    async def follow_folder(self, folder: str, sources: Sequence[_Source]) -> None:
        """Compare a folder with its files when it was last ingested."""
        root = Path(folder).resolve().as_posix()
        mark = f"knowledge:folder:{root}"
        before: list[str] = json.loads(await self._store.get_mark(mark) or "[]")
        present = {source.key for source in sources}
        vanished = [key for key in before if key not in present and not Path(key).exists()]
        for key in vanished:
            if not self._replace:
                self.tally.notes.add(
                    "vanished", "no longer there; its passages stay (the option replace removes them)", key
                )
                continue
            self.tally.removed += await self._store.delete_passages(await self._store.passage_ids(key))
            await self._store.set_mark(_mark(key), None)
        remembered = present if self._replace else {*present, *vanished}
        await self._store.set_mark(mark, json.dumps(sorted(remembered)))

    async def source(self, source: _Source) -> None:
        """Bring one file up to date."""
        digest = await asyncio.to_thread(_digest, source.path)
        state = f"{digest}:{self._splitter.size}:{self._splitter.overlap}"
        if await self._store.get_mark(source.mark) == state:
            self.tally.unchanged_files += 1
            return
        stale = set(await self._store.passage_ids(source.key))
        problems = written = 0
        async for batch in in_batches(self._passages(source), batch_size(self._store)):
            passages = self.tally.usable(batch)
            problems += len(batch) - len(passages)
            if passages:
                writing = await self._store.upsert_passages(passages)
                self.tally.wrote(writing, passages)
                problems += len(writing.refused)
                stale.difference_update(passage.id for passage in passages)
                written += len(passages)
            if self._progress:
                self._progress(len(passages))
        if problems:
            # The stale passages may be those of the bad rows, and a rerun must report these again.
            if stale:
                self.tally.notes.add(
                    "stale", f"{len(stale)} earlier passages stay until its bad rows are corrected", source.path
                )
            return
        if stale:
            self.tally.removed += await self._store.delete_passages(sorted(stale))
        await self._store.set_mark(source.mark, state if written else None)

    def _passages(self, source: _Source) -> Iterator[Passage | RowProblem]:
        return self._row_passages(source) if source.rows else self._document_passages(source)

    def _row_passages(self, source: _Source) -> Iterator[Passage | RowProblem]:
        for row in read_rows(source.path):
            if isinstance(row, RowProblem):
                yield row
                continue
            note_unread(row, _KNOWN_FIELDS, self.tally.notes)
            try:
                fields = _PassageRow.model_validate(row.data)
            except ValidationError as error:
                yield row.invalid(error)
                continue
            duplicate = self.tally.seen.duplicate(fields.id, row)
            if duplicate:
                yield duplicate
                continue
            parts = self._splitter.split(fields.text)
            for number, text in enumerate(parts, 1):
                passage_id = fields.id if len(parts) == 1 else f"{fields.id}#{number}"
                yield Passage(id=passage_id, text=text, title=fields.title, source=source.key)

    def _document_passages(self, source: _Source) -> Iterator[Passage | RowProblem]:
        document = read_document(source.path)
        if isinstance(document, RowProblem):
            yield document
            return
        name = f"{Path(source.path).name}:{hashlib.sha256(source.key.encode()).hexdigest()[:8]}"
        for number, text in enumerate(self._splitter.split(document.text), 1):
            yield Passage(id=f"{name}#{number}", text=text, title=document.title, source=source.key)


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
