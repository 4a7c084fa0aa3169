"""A folder that stores bytes by key, read and written outside the event loop; both caches use it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from llm4tag.schema import ModelError

T = TypeVar("T")

GIBIBYTE = 1 << 30


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]
    """Stores bytes under text keys alone: a pickle in the folder could run any code, so none is ever read."""

    def put(self, key: Any) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise TypeError("keys are text")
        return key, True

    def get(self, key: Any, raw: Any) -> Any:
        if not raw:
            raise ValueError("a pickled key")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if not isinstance(value, bytes):
            raise TypeError("values are bytes")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
            raise ValueError("a value that is not bytes")
        return super().fetch(mode, filename, value, read)


class _OpenCache:
    """The open files, if there are any; only the cache's own thread uses them."""

    def __init__(self) -> None:
        self._cache: diskcache.Cache | None = None

    def cache(self, folder: Path, size_limit: int) -> diskcache.Cache:
        if self._cache is None:
            self._cache = diskcache.Cache(
                str(folder), disk=_PlainDisk, size_limit=size_limit, eviction_policy="least-recently-stored"
            )
        return self._cache

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()
            self._cache = None


class DiskCache:
    """Stores bytes by key in a folder that processes can share; beyond the limit the oldest entries are removed.

    One thread of its own does all the work, so that there is one SQLite connection to open and to close.

    Args:
        folder: the folder; it is made at the first use.
        size_limit: bytes.
    """

    def __init__(self, folder: Path, size_limit: int) -> None:
        self.folder = folder
        self._size_limit = size_limit
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"llm4tag-{folder.name}")
        self._open = _OpenCache()
        # No finalizer: the garbage collector may run one while a lock is held, even a pool's (this deadlocked).
        # The thread of a cache that is dropped without being closed ends by itself, and so does its connection.

    async def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the stored values by key; absent keys are left out.

        Raises:
            ModelError: the folder cannot be read.
        """
        wanted = list(keys)

        def work(cache: diskcache.Cache) -> dict[str, bytes]:
            found = ((key, cache.get(key)) for key in wanted)
            return {key: value for key, value in found if isinstance(value, bytes)}

        return await self._run(work)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Store all items in one transaction.

        Raises:
            ModelError: the folder cannot be written.
        """

        def work(cache: diskcache.Cache) -> None:
            with cache.transact(retry=True):
                for key, value in items.items():
                    cache.set(key, value)

        await self._run(work)

    async def close(self) -> None:
        """Close the files; a later call opens them again."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._open.close)

    async def _run(self, work: Callable[[diskcache.Cache], T]) -> T:
        def guarded() -> T:
            try:
                return work(self._open.cache(self.folder, self._size_limit))
            except (OSError, ValueError, sqlite3.Error, diskcache.Timeout) as error:
                raise ModelError(
                    f"the cache cannot be used ({error})",
                    where=self.folder,
                    remedy="delete that folder, or set LLM4TAG_CACHE_DIR to another place",
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._executor, guarded)
