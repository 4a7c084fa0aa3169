"""Where results go: a JSONL file that survives Ctrl-C and kill -9, or a stream.

Results stand in the order in which they finished, one flushed line each; a line without its end is what a kill
left behind. Beside ``OUT.jsonl`` stands ``OUT.jsonl.settings.json``: all that the results depend on. Results made
under other settings never get into the same file.
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
from llm4tag.schema.errors import first_fault

SETTINGS_SUFFIX = ".settings.json"
_ANEW = "start anew with --overwrite, or give another -o"
STORE_HOLDS = "store_holds"
"""Among the settings of a run: it changes by itself, with every ingest and every accepted result."""


@dataclass(frozen=True, slots=True)
class Done:
    """What is known of a result that an earlier run wrote."""

    digest: str
    degraded: str | None
    """Why, if it is."""


class Sink(Protocol):
    """Takes results as they finish."""

    @property
    def done(self) -> Mapping[str, Done]:
        """Results that are there from earlier runs, by content id."""

    async def write(self, result: TagResult) -> None:
        """Keep one result; when this returns, it survives the end of the process."""


class Memory:
    """Keeps results in a list."""

    def __init__(self) -> None:
        self.results: list[TagResult] = []
        self.done: Mapping[str, Done] = {}

    async def write(self, result: TagResult) -> None:
        """Keep one result."""
        self.results.append(result)


class Stream:
    """Writes results to a binary stream such as stdout; nothing to resume from."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._writer = ThreadPoolExecutor(1, "results")
        self.done: Mapping[str, Done] = {}

    async def write(self, result: TagResult) -> None:
        """Write one line and flush it, off the event loop, one at a time."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, _line(result))

    def _write(self, line: bytes) -> None:
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Finish the line that is being written."""
        self._writer.shutdown()


class OutputFile(Stream):
    """The output file of a run, locked against a second run; use ``open``."""

    def __init__(self, path: Path, stream: IO[bytes], done: Mapping[str, Done], dropped: "Dropped") -> None:
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
        """Open a new output file, or one to go on with.

        Args:
            path: the file; its folder must exist.
            settings: all that the results depend on.
            contents: what is to be tagged, by id: results of another text of the same id are dropped.
            overwrite: start anew whatever is there.
            retry_degraded: drop degraded results too.

        Raises:
            UsageError: it was made under other settings or is no output file, another run writes to it, or it
                cannot be written.
        """
        try:
            stream = _locked(path, path.open("ab"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); give another -o") from error
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
        """Finish the line that is being written and let go of the file."""
        super().close()
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Dropped:
    """Lines of an earlier run that are to be made again, by number from 1."""

    torn: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()
    degraded: frozenset[int] = frozenset()

    @property
    def lines(self) -> frozenset[int]:
        """All of them."""
        return self.torn | self.changed | self.degraded

    def __bool__(self) -> bool:
        return bool(self.lines)

    def words(self) -> Iterator[str]:
        """Yield what was dropped, for the user."""
        if self.torn:
            yield "the last line was torn when an earlier run was killed: dropped, to be tagged again"
        if self.changed:
            yield f"{len(self.changed)} results were of contents whose text has changed since: to be tagged again"
        if self.degraded:
            yield f"{len(self.degraded)} degraded results: to be tagged again"


def read_results(path: Path) -> Iterator[TagResult]:
    """Yield the results of an output file; a torn last line is left out.

    Raises:
        UsageError: no such file, or a line is no result.
    """
    number = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                number += 1
                if line.endswith(b"\n"):
                    yield TagResult.model_validate_json(line)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UsageError(
            f"{path}:{number}: field '{fault.field}': {fault.message}; give a file that `llm4tag tag` wrote"
        ) from error


def settings_path(path: Path) -> Path:
    """Return where the settings of an output file stand."""
    return path.with_name(path.name + SETTINGS_SUFFIX)


def _line(result: TagResult) -> bytes:
    return result.model_dump_json().encode() + b"\n"


def _locked(path: Path, stream: IO[bytes]) -> IO[bytes]:
    """Lock a file against a second run, where the system can."""
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise UsageError(f"{path}: another run is writing to it; wait for it or give another -o") from None
    return stream


def _write_settings(path: Path, settings: Mapping[str, str | None]) -> None:
    target = settings_path(path)
    draft = target.with_name(target.name + ".new")
    draft.write_text(json.dumps(dict(settings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, target)


def read_settings(path: Path) -> dict[str, str | None] | None:
    """Return the settings that an output file was made under; None where nothing beside it says so.

    Raises:
        UsageError: they cannot be read.
    """
    beside = settings_path(path)
    try:
        made_with: dict[str, str | None] = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{beside}: not JSON that can be read ({error}); {_ANEW}") from error
    return made_with


def _check_settings(path: Path, settings: Mapping[str, str | None]) -> None:
    mend = _ANEW
    made_with = read_settings(path)
    if made_with is None:
        raise UsageError(
            f"{path}: there already, without {settings_path(path).name} beside it, so what it was made with is "
            f"unknown; {mend}"
        )
    names = sorted(made_with.keys() | settings.keys())
    differing = [
        f"{name} (then {made_with.get(name)!r}, now {settings.get(name)!r})"
        for name in names
        if made_with.get(name) != settings.get(name)
    ]
    if differing:
        if made_with.get(STORE_HOLDS) != settings.get(STORE_HOLDS):
            mend += " (new history, passages or accepted tags change results: those made before would not compare)"
        raise UsageError(f"{path}: made under other settings: {', '.join(differing)}; {mend}")


def _scan(path: Path, contents: Mapping[str, Content], retry_degraded: bool) -> tuple[dict[str, Done], Dropped]:
    """Return what is done, and the lines to drop."""
    done: dict[str, Done] = {}
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


def _done(path: Path, number: int, line: bytes) -> tuple[str, Done]:
    try:
        data: dict[str, Any] = json.loads(line)
        return data["id"], Done(data["origin"]["content"], data["degraded"])
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{path}:{number}: not a result ({error!r}); start anew with --overwrite, or give another -o"
        ) from error


def _rewritten(path: Path, stream: IO[bytes], dropped: Dropped) -> IO[bytes]:
    """Replace the file, in one step, by itself without the dropped lines."""
    draft = path.with_name(path.name + ".new")
    kept = _locked(draft, draft.open("wb"))
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number not in dropped.lines:
                kept.write(line)
    kept.flush()
    os.fsync(kept.fileno())
    os.replace(draft, path)
    stream.close()
    return kept
