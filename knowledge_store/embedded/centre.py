"""The frozen mean that content vectors are centred by when searched; stored vectors stay raw."""

import sqlite3

import numpy as np

from llm4tag.knowledge_store import centre_rule as rule
from llm4tag.knowledge_store.embedded.database import Writer, get_blob, get_number
from llm4tag.knowledge_store.items import vector_blob, vector_of
from llm4tag.models.embedder import Vector

CENTRE = "centre"
_CENTRED_CONTENTS = "centred_contents"


def read_centre(connection: sqlite3.Connection) -> Vector | None:
    """Return the centre in force, or None."""
    blob = get_blob(connection, CENTRE)
    return None if blob is None else vector_of(blob)


def due(connection: sqlite3.Connection) -> bool:
    """Return whether the centre should be looked at."""
    count: int = connection.execute("SELECT count(*) FROM contents").fetchone()[0]
    return rule.due(count, get_number(connection, _CENTRED_CONTENTS))


def renew(writer: Writer) -> None:
    """Freeze the mean of today's vectors where it has moved."""
    mean = _mean(writer.connection)
    if mean is not None and rule.moved(read_centre(writer.connection), mean):
        freeze(writer, mean)
    else:
        note_size(writer)


def recentre(writer: Writer) -> int:
    """Compute and freeze the mean of all content vectors; fewer than two leave all as it is.

    Returns:
        The version in force.
    """
    mean = _mean(writer.connection)
    return version(writer.connection) if mean is None else freeze(writer, mean)


def _mean(connection: sqlite3.Connection) -> Vector | None:
    total: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None
    count = 0
    for (blob,) in connection.execute("SELECT vector FROM contents WHERE vector IS NOT NULL"):
        vector = np.frombuffer(blob, dtype="<f4")
        total = vector.astype(np.float64) if total is None else total + vector
        count += 1
    return None if total is None or count < 2 else (total / count).astype(np.float32)


def freeze(writer: Writer, centre: Vector) -> int:
    """Set the centre for the contents there are now; return its version."""
    writer.set_meta(CENTRE, vector_blob(centre))
    note_size(writer)
    writer.connection.execute("UPDATE state SET centre = centre + 1")
    return version(writer.connection)


def note_size(writer: Writer) -> None:
    """Take the contents there are now as those that the centre was computed from."""
    count: int = writer.connection.execute("SELECT count(*) FROM contents").fetchone()[0]
    writer.set_meta(_CENTRED_CONTENTS, count)


def forget(writer: Writer) -> None:
    """Drop the centre."""
    writer.set_meta(CENTRE, None)
    writer.set_meta(_CENTRED_CONTENTS, 0)
    writer.connection.execute("UPDATE state SET centre = 0")


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the centre, 0 for none."""
    number: int = connection.execute("SELECT centre FROM state").fetchone()[0]
    return number
