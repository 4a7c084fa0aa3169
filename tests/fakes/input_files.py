"""Writing the files that ingest reads."""

import json
from pathlib import Path
from typing import Any


def jsonl(path: Path, *rows: Any) -> str:
    """Write rows; a text or bytes goes in as it is."""
    lines = [
        row
        if isinstance(row, bytes)
        else row.encode()
        if isinstance(row, str)
        else json.dumps(row, ensure_ascii=False).encode()
        for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def written(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
