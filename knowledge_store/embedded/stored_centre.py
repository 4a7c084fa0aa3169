"""The frozen mean of content vectors in a store's file; vectors are stored raw and centred to be searched."""

import sqlite3

from llm4tag.knowledge_store import centring
from llm4tag.knowledge_store.embedded.database import WriteTransaction, get_blob, get_number
from llm4tag.knowledge_store.items import vector_blob, vector_of
from llm4tag.models.embedder import Vector

CENTRE = "centre"
_CENTRED_CONTENTS = "centred_contents"


def read_centre(connection: sqlite3.Connection) -> Vector | None:
    """Return the present centre, or None if there is none."""
    blob = get_blob(connection, CENTRE)
    return None if blob is None else vector_of(blob)


def due(connection: sqlite3.Connection) -> bool:
    """Return whether the centre should be computed again."""
    return centring.due(_contents(connection), get_number(connection, _CENTRED_CONTENTS))


def renew(transaction: WriteTransaction) -> None:
    """Freeze the present mean if it has moved, and otherwise record that it was looked at."""
    mean = _mean(transaction.connection)
    if mean is not None and centring.moved(read_centre(transaction.connection), mean):
        freeze(transaction, mean)
    else:
        record_size(transaction)


def recentre(transaction: WriteTransaction) -> int:
    """Compute and freeze the mean of all content vectors; fewer than two vectors change nothing.

    Returns:
        The version of the present centre.
    """
    mean = _mean(transaction.connection)
    return version(transaction.connection) if mean is None else freeze(transaction, mean)


def _mean(connection: sqlite3.Connection) -> Vector | None:
    mean = centring.RunningMean()
    for (blob,) in connection.execute("SELECT vector FROM contents WHERE vector IS NOT NULL"):
        mean.add(vector_of(blob))
    return mean.value


def _contents(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM contents").fetchone()[0]
    return count


def freeze(transaction: WriteTransaction, centre: Vector) -> int:
    """Set the centre for the present contents; return its version."""
    transaction.set_meta(CENTRE, vector_blob(centre))
    record_size(transaction)
    transaction.connection.execute("UPDATE state SET centre = centre + 1")
    return version(transaction.connection)


def record_size(transaction: WriteTransaction) -> None:
    """Record the present number of contents as the one that the centre was computed from."""
    transaction.set_meta(_CENTRED_CONTENTS, _contents(transaction.connection))


def remove(transaction: WriteTransaction) -> None:
    """Remove the centre."""
    transaction.set_meta(CENTRE, None)
    transaction.set_meta(_CENTRED_CONTENTS, 0)
    transaction.connection.execute("UPDATE state SET centre = 0")


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the centre, 0 for none."""
    number: int = connection.execute("SELECT centre FROM state").fetchone()[0]
    return number
