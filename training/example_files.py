"""Writing examples to files that appear only when they are complete."""

import contextlib
import os
from collections.abc import AsyncIterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from llm4tag.knowledge_store.ingest.input_formats import describe_os_error
from llm4tag.schema import UsageError
from llm4tag.training.chat_examples import chats
from llm4tag.training.judge_examples import HELD_OUT, TRAIN, Line, TrainingSet, line_of


@dataclass
class Written:
    """What came of an export."""

    contents: int = 0
    held_out: int = 0
    pairs: int = 0
    right: int = 0
    files: list[Path] = field(default_factory=list)


def check_fresh(path: Path, chat: bool, overwrite: bool) -> list[Path]:
    """Return the files to write: the examples, and where wanted their chats, trained and held out.

    Raises:
        UsageError: one exists, has no folder, or the examples' name does not end in ``.jsonl``.
    """
    if path.suffix != ".jsonl":
        raise UsageError(f"{path}: give a name that ends in .jsonl")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
    files = [path, *(path.with_suffix(f".chat-{split}.jsonl") for split in (TRAIN, HELD_OUT) if chat)]
    for file in files:
        if file.exists() and not overwrite:
            raise UsageError(f"{file} exists; name another file, or replace it with --overwrite")
    return files


async def write_examples(lines: AsyncIterable[Line], files: Sequence[Path], seed: int) -> Written:
    """Write examples to the files of ``check_fresh``.

    Raises:
        UsageError: a file cannot be written.
    """
    written = Written(files=list(files))
    heads: dict[str, TrainingSet] = {}
    with _whole(files) as (whole, *split):
        chat = dict(zip((TRAIN, HELD_OUT), split, strict=False))
        async for line in lines:
            whole.write(line_of(line))
            if isinstance(line, TrainingSet):
                heads[line.set] = line
                continue
            written.contents += 1
            written.held_out += line.split == HELD_OUT
            written.pairs += len(line.tags)
            written.right += sum(tag.right for tag in line.tags)
            if chat:
                chat[line.split].writelines(chats(line, heads[line.set], seed))
    return written


@contextlib.contextmanager
def _whole(files: Sequence[Path]) -> Iterator[list[IO[bytes]]]:
    """Open files beside those that are wanted, and put them in place when all went well."""
    parts = [file.with_name(f"{file.name}.part") for file in files]
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(part.open("wb")) for part in parts]
        for part, file in zip(parts, files, strict=True):
            os.replace(part, file)
    except OSError as error:
        raise UsageError(f"{files[0]}: {describe_os_error(error)}; name a file that can be written") from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
