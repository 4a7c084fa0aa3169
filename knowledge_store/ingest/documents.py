"""Reading documents and cutting them into passages by LlamaIndex, which takes seconds to import."""

import importlib.util
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from llm4tag.knowledge_store.ingest.row import RowProblem
from llm4tag.schema import UsageError

if TYPE_CHECKING:
    from llama_index.core.node_parser import SentenceSplitter

_MARKDOWN = frozenset({".md", ".markdown"})
_HTML = frozenset({".html", ".htm"})
_TEXTS = frozenset({".txt", ".rst"}) | _MARKDOWN | _HTML
_BY_PACKAGE = frozenset({".pdf", ".docx", ".pptx", ".epub"})
DOCUMENT_SUFFIXES = _TEXTS | _BY_PACKAGE
"""File name endings of all kinds of documents; those that are not text need another package."""


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The title and the text of one file."""

    title: str
    text: str


def readable_suffixes() -> frozenset[str]:
    """Return the file name endings of documents that can be read with the installed packages."""
    try:
        installed = importlib.util.find_spec("llama_index.readers.file") is not None
    except ModuleNotFoundError:
        installed = False
    return DOCUMENT_SUFFIXES if installed else _TEXTS


class Splitter:
    """Cuts texts into passages at the ends of sentences.

    Args:
        size: the greatest number of tokens of a passage.
        overlap: number of tokens that a passage shares with the one before.

    Raises:
        UsageError: the overlap is not less than the size.
    """

    def __init__(self, size: int, overlap: int) -> None:
        if not 0 <= overlap < size:
            raise UsageError(
                f"a chunk of {size} tokens cannot overlap by {overlap}",
                option="chunk_overlap",
                remedy="choose an overlap below the size",
            )
        self.size = size
        self.overlap = overlap
        self._splitter: SentenceSplitter | None = None

    def split(self, text: str) -> list[str]:
        """Return the passages of a text in their order; a blank text has none."""
        text = text.strip()
        # No token is shorter than a byte, so short texts need no splitter.
        if len(text.encode()) <= self.size:
            return [text] if text else []
        if self._splitter is None:
            from llama_index.core.node_parser import SentenceSplitter

            self._splitter = SentenceSplitter(chunk_size=self.size, chunk_overlap=self.overlap)
        return [part for part in self._splitter.split_text(text) if part.strip()]


def read_document(path: str) -> DocumentText | RowProblem:
    """Read one document; all kinds of text must be UTF-8.

    The title is the first heading of a Markdown file, the title of an HTML page, or otherwise the file's name.
    """
    from llama_index.core import SimpleDirectoryReader

    suffix = Path(path).suffix.lower()
    try:
        parts = SimpleDirectoryReader(
            input_files=[path], encoding="utf-8-sig", errors="strict", raise_on_error=True
        ).load_data()
    except UnicodeDecodeError as error:
        return _problem(path, f"not UTF-8 at byte {error.start + 1}", "save the file as UTF-8")
    # Readers raise whatever the libraries that they use raise.
    except Exception as error:
        return _problem(path, f"cannot be read ({error})", "check that it opens elsewhere")
    text = "\n\n".join(part.text for part in parts)
    title = Path(path).stem
    if suffix in _HTML:
        page = _Page()
        page.feed(text)
        page.close()
        title, text = " ".join("".join(page.title).split()) or title, page.text()
    elif suffix in _MARKDOWN:
        heading = re.search(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE)
        title = heading.group(1) if heading else title
    if not text.strip():
        return _problem(path, "holds no text", "remove it, or give one with text")
    return DocumentText(title=title, text=text)


def _problem(path: str, problem: str, remedy: str) -> RowProblem:
    return RowProblem(file=path, line=None, field="", problem=problem, remedy=remedy)


class _Page(HTMLParser):
    """Collects the visible words of an HTML page."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript"})
    _INLINE = frozenset(
        {"a", "abbr", "b", "cite", "code", "em", "i", "img", "kbd", "mark", "q", "small", "span", "strong", "sub"}
        | {"sup", "time", "u", "wbr"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self._words: list[str] = []
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN
        self._in_title = tag == "title"
        if tag not in self._INLINE:
            self._words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN and self._hidden:
            self._hidden -= 1
        self._in_title = False
        if tag not in self._INLINE:
            self._words.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self._words.append(data)

    def text(self) -> str:
        """Return the words, with one line for each block."""
        lines = (" ".join(line.split()) for line in "".join(self._words).splitlines())
        return "\n".join(line for line in lines if line)
