"""Files of examples, which appear only when they are complete."""

import contextlib
from collections.abc import AsyncIterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from llm4tag.knowledge_store.ingest.input_formats import describe_os_error
from llm4tag.schema import UsageError
from llm4tag.schema.drafts import drafts_of
from llm4tag.training.chat_examples import chats
from llm4tag.training.judge_examples import HELD_OUT, TRAIN, Line, TrainingSet, line_of


@dataclass
class ExportSummary:
    """What an export wrote: how many contents, candidates (pairs) and right candidates, to which files."""

    contents: int = 0
    held_out: int = 0
    pairs: int = 0
    right: int = 0
    files: list[Path] = field(default_factory=list)


def files_to_write(path: Path, chat: bool, overwrite: bool) -> list[Path]:
    """Return the files to write: the examples, then their chats, trained and held out, if these are wanted.

    Args:
        path: path of the examples.
        chat: whether chats are wanted as well.
        overwrite: whether files that exist are replaced.

    Raises:
        UsageError: a file exists, its folder does not, or the examples' name does not end in ``.jsonl``.
    """
    if path.suffix != ".jsonl":
        raise UsageError("the name does not end in .jsonl", where=path, remedy="give one that does")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", where=path, remedy="make it first")
    files = [path, *(path.with_suffix(f".chat-{split}.jsonl") for split in (TRAIN, HELD_OUT) if chat)]
    for file in files:
        if file.exists() and not overwrite:
            raise UsageError(
                "it exists already", where=file, remedy="name another file, or replace it with {overwrite}"
            )
    return files


async def write_examples(lines: AsyncIterable[Line], files: Sequence[Path], seed: int) -> ExportSummary:
    """Write examples to files.

    Args:
        lines: heads of sets and their examples.
        files: the files of ``files_to_write``.
        seed: seed of the number of similar items that the chats show.

    Raises:
        UsageError: a file cannot be written.
    """
    written = ExportSummary(files=list(files))
    heads: dict[str, TrainingSet] = {}
    with _opened(files) as (all_lines, *split):
        chat = dict(zip((TRAIN, HELD_OUT), split, strict=False))
        async for line in lines:
            all_lines.write(line_of(line))
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
def _opened(files: Sequence[Path]) -> Iterator[list[IO[bytes]]]:
    """Open a draft of each file; they take their places when all of them are complete."""
    try:
        with drafts_of(files) as drafts, contextlib.ExitStack() as stack:
            yield [stack.enter_context(draft.open("wb")) for draft in drafts]
    except OSError as error:
        raise UsageError(
            describe_os_error(error), where=files[0], remedy="name a file that can be written"
        ) from error
