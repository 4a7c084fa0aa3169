"""Tags and the closed vocabulary they form."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Tag(BaseModel):
    """One entry of the closed vocabulary.

    A ``group`` is only a parent and is never assigned; a ``retired`` tag stays for its history and is never
    output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    description: str = ""
    aliases: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    group: bool = False
    retired: bool = False

    @field_validator("id", "name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be blank")
        return value.strip()

    @property
    def assignable(self) -> bool:
        """Whether the tag may be output."""
        return not self.group and not self.retired


def normal_name(name: str) -> str:
    """Return the form under which names and aliases are compared: case-folded, white space collapsed."""
    return " ".join(name.casefold().split())


class Vocabulary(Mapping[str, Tag]):
    """All tags of a store by id, with exact look-up by name and alias.

    Args:
        tags: every tag, groups and retired ones included; ids must be unique.
    """

    def __init__(self, tags: Iterable[Tag]) -> None:
        self._tags = {tag.id: tag for tag in tags}

    def __getitem__(self, tag_id: str) -> Tag:
        return self._tags[tag_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags)

    def __len__(self) -> int:
        return len(self._tags)

    @cached_property
    def assignable(self) -> frozenset[str]:
        """Ids of the tags that may be output."""
        return frozenset(tag.id for tag in self._tags.values() if tag.assignable)

    @cached_property
    def _by_name(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for tag in self._tags.values():
            if tag.assignable:
                for label in (tag.name, *tag.aliases):
                    found.setdefault(normal_name(label), set()).add(tag.id)
        return {label: frozenset(ids) for label, ids in found.items()}

    def resolve(self, name: str) -> str | None:
        """Return the one assignable tag with exactly this name, alias or id, or None.

        A label that several tags share maps to none of them.
        """
        if name in self.assignable:
            return name
        ids = self._by_name.get(normal_name(name), frozenset())
        return next(iter(ids)) if len(ids) == 1 else None

    @cached_property
    def ambiguous(self) -> dict[str, frozenset[str]]:
        """Labels that name several tags (never used to map), with the tags' ids."""
        return {label: ids for label, ids in self._by_name.items() if len(ids) > 1}

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """Direct children of every tag or group that has any, by parent id."""
        found: dict[str, list[str]] = {}
        for tag in self._tags.values():
            for parent in tag.parents:
                found.setdefault(parent, []).append(tag.id)
        return {parent: tuple(ids) for parent, ids in found.items()}

    def within(self, parent: str) -> frozenset[str]:
        """Return the ids of the assignable tags under ``parent`` at any depth, cycles tolerated.

        ``parent`` itself is not included.

        Raises:
            KeyError: ``parent`` is neither a tag nor anybody's parent.
        """
        if parent not in self._tags and parent not in self.children:
            raise KeyError(parent)
        found: set[str] = set()
        open_ids = [parent]
        while open_ids:
            for child in self.children.get(open_ids.pop(), ()):
                if child not in found:
                    found.add(child)
                    open_ids.append(child)
        return frozenset(found & self.assignable)

    @cached_property
    def version(self) -> str:
        """A short hash of all that the tags say; any change to any tag changes it."""
        digest = hashlib.sha256()
        for tag_id in sorted(self._tags):
            digest.update(self._tags[tag_id].model_dump_json().encode())
        return digest.hexdigest()[:16]
