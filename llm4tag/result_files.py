"""Files of results: a JSONL file that survives Ctrl-C and kill -9, a stream, or a list in memory.

Results are written in the order in which they finish, one flushed line each; a last line without an end is left
from a run that was killed. Next to ``OUT.jsonl`` is ``OUT.jsonl.settings.json`` with all settings that the results
depend on. Results of other settings never get into the same file.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import ValidationError

from llm4tag.schema import Content, TagResult, UsageError
from llm4tag.schema.drafts import draft_of
from llm4tag.schema.errors import first_fault
from llm4tag.schema.text import differences

SETTINGS_SUFFIX = ".settings.json"
_REMEDY = "start again with {overwrite}, or give another {output}"
STORE_HOLDS = "store_holds"
"""The setting of a run that changes by itself, with every ingest and every accepted result."""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A result that an earlier run wrote."""

    digest: str
    """The digest of the tagged content."""
    degraded: str | None
    """The reason why it is degraded; None if it is not."""


class ResultSink(Protocol):
    """Takes results as they finish."""

    @property
    def done(self) -> Mapping[str, EarlierResult]:
        """The results of earlier runs, by content id."""

    async def write(self, result: TagResult) -> None:
        """Save one result; when this returns, it survives the end of the process."""


class MemorySink:
    """Collects results in a list."""

    def __init__(self) -> None:
        self.results: list[TagResult] = []
        self.done: Mapping[str, EarlierResult] = {}

    async def write(self, result: TagResult) -> None:
        """Append one result."""
        self.results.append(result)


class StreamSink:
    """Writes results to a binary stream such as stdout, which cannot be resumed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._writer = ThreadPoolExecutor(1, "results")
        self.done: Mapping[str, EarlierResult] = {}

    async def write(self, result: TagResult) -> None:
        """Write one line and flush it, in a thread that writes one line at a time."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, _line(result))

    def _write(self, line: bytes) -> None:
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Finish the line that is being written."""
        self._writer.shutdown()


class OutputFile(StreamSink):
    """The output file of a run, locked against a second run; made by ``open``."""

    def __init__(
        self, path: Path, stream: IO[bytes], done: Mapping[str, EarlierResult], dropped: "Dropped"
    ) -> None:
        super().__init__(stream)
        self.path = path
        self.done = done
        self.dropped = dropped

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Mapping[str, str | None],
        contents: Mapping[str, Content],
        *,
        overwrite: bool = False,
        retry_degraded: bool = False,
    ) -> "OutputFile":
        """Open a new output file, or one to resume.

        Args:
            path: the file; its folder must exist.
            settings: all settings that the results depend on.
            contents: the contents to tag, by id; results of another text with the same id are dropped.
            overwrite: whether to start again with an empty file.
            retry_degraded: whether to drop degraded results too.

        Raises:
            UsageError: the file was made under other settings or is no output file, another run is writing to
                it, or it cannot be written.
        """
        try:
            stream = _locked(path, path.open("ab"))
        except OSError as error:
            raise UsageError(
                f"cannot be written ({error.strerror})", where=path, remedy="give another {output}"
            ) from error
        try:
            if overwrite:
                stream.truncate(0)
            if path.stat().st_size == 0:
                _write_settings(path, settings)
                return cls(path, stream, {}, Dropped())
            _check_settings(path, settings)
            done, dropped = _scan(path, contents, retry_degraded)
            if dropped:
                stream = _rewritten(path, stream, dropped)
        except BaseException:
            stream.close()
            raise
        return cls(path, stream, done, dropped)

    def close(self) -> None:
        """Finish the line that is being written, and release the file."""
        super().close()
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Dropped:
    """Lines of an earlier run whose contents are tagged again, by number from 1."""

    torn: frozenset[int] = frozenset()
    """The last line, if it has no end."""
    changed: frozenset[int] = frozenset()
    """Results of contents whose text has changed."""
    degraded: frozenset[int] = frozenset()
    """Degraded results."""

    @property
    def lines(self) -> frozenset[int]:
        """Return the numbers of all dropped lines."""
        return self.torn | self.changed | self.degraded

    def __bool__(self) -> bool:
        return bool(self.lines)

    def words(self) -> Iterator[str]:
        """Yield sentences for the user on what was dropped."""
        if self.torn:
            yield "the last line was torn when an earlier run was killed: its content is tagged again"
        if self.changed:
            yield f"{len(self.changed)} results are of contents whose text has changed: they are tagged again"
        if self.degraded:
            yield f"{len(self.degraded)} results are degraded: their contents are tagged again"


def read_results(path: Path) -> Iterator[TagResult]:
    """Yield the results of an output file; a torn last line is left out.

    Raises:
        UsageError: there is no such file, or a line is no result.
    """
    number = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                number += 1
                if line.endswith(b"\n"):
                    yield TagResult.model_validate_json(line)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=path, remedy="check the path") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            f"field '{fault.field}': {fault.message}",
            where=f"{path}:{number}",
            remedy="give a file of results that this version of llm4tag wrote, or {tag_contents}",
        ) from error


def settings_path(path: Path) -> Path:
    """Return the path of the file with the settings of an output file."""
    return path.with_name(path.name + SETTINGS_SUFFIX)


def _line(result: TagResult) -> bytes:
    return result.model_dump_json().encode() + b"\n"


def _locked(path: Path, stream: IO[bytes]) -> IO[bytes]:
    """Lock a file against a second run, if the system can do that."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise UsageError(
                "another run is writing to it", where=path, remedy="wait for it, or give another {output}"
            ) from None
    return stream


def _write_settings(path: Path, settings: Mapping[str, str | None]) -> None:
    with draft_of(settings_path(path)) as draft:
        draft.write_text(json.dumps(dict(settings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_settings(path: Path) -> dict[str, str | None] | None:
    """Return the settings that an output file was made under; None if there is no file of settings.

    Raises:
        UsageError: the settings cannot be read.
    """
    file = settings_path(path)
    try:
        made_with: dict[str, str | None] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"is not JSON that can be read ({error})", where=file, remedy=_REMEDY) from error
    return made_with


def _check_settings(path: Path, settings: Mapping[str, str | None]) -> None:
    made_with = read_settings(path)
    if made_with is None:
        raise UsageError(
            f"exists already, without {settings_path(path).name}, so what it was made with is unknown",
            where=path,
            remedy=_REMEDY,
        )
    if differing := differences(made_with, settings):
        changed = made_with.get(STORE_HOLDS) != settings.get(STORE_HOLDS)
        why = " (new history, passages or accepted tags change results: those made before would not compare)"
        remedy = _REMEDY + (why if changed else "")
        raise UsageError(f"was made under other settings: {', '.join(differing)}", where=path, remedy=remedy)


def _scan(
    path: Path, contents: Mapping[str, Content], retry_degraded: bool
) -> tuple[dict[str, EarlierResult], Dropped]:
    """Return the results to keep, by content id, and the lines to drop."""
    done: dict[str, EarlierResult] = {}
    torn, changed, degraded = set[int](), set[int](), set[int]()
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                torn.add(number)
                continue
            content_id, found = _done(path, number, line)
            content = contents.get(content_id)
            if content is not None and content.digest != found.digest:
                changed.add(number)
            elif content is not None and found.degraded is not None and retry_degraded:
                degraded.add(number)
            else:
                done[content_id] = found
    return done, Dropped(frozenset(torn), frozenset(changed), frozenset(degraded))


def _done(path: Path, number: int, line: bytes) -> tuple[str, EarlierResult]:
    try:
        data: dict[str, Any] = json.loads(line)
        return data["id"], EarlierResult(data["origin"]["content"], data["degraded"])
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"is not a result ({error!r})", where=f"{path}:{number}", remedy=_REMEDY) from error


def _rewritten(path: Path, stream: IO[bytes], dropped: Dropped) -> IO[bytes]:
    """Replace the file, in one step, by itself without the dropped lines; the lock goes with the new stream."""
    with draft_of(path) as draft:
        rewritten = _locked(draft, draft.open("wb"))
        with path.open("rb") as lines:
            rewritten.writelines(line for number, line in enumerate(lines, 1) if number not in dropped.lines)
        rewritten.flush()
        os.fsync(rewritten.fileno())
    stream.close()
    return rewritten
