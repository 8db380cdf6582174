"""Which rules are in force at T: a version counts from the T that is written into it.

Every worker hears of a change at another moment, so none may act on hearing it. A version that
is heard of too late, when its T has been judged already, takes effect at the next T instead;
whoever decides that stores it before using it (``late``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rules.live import LiveRule

PROTECTION: Final = " protected command types"
"""Stands for a rule's name where no rule is meant: no rule's name begins with a space."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one rule; ``live`` is None when it is deleted or disabled.

    A version of the protected command types is one too, under `PROTECTION`.
    """

    name: str
    version: int
    effective_from: int
    live: LiveRule | None
    protected: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Return ``name@version``."""
        return f"{self.name}@{self.version}"


class Rulebook:
    """All versions that have been heard of."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Entry]] = {}
        self._unusable: dict[str, int] = {}

    def learn(self, entries: Iterable[Entry]) -> None:
        """Remember *entries*; one heard of twice changes nothing."""
        for entry in entries:
            self._versions.setdefault(entry.name, {})[entry.version] = entry

    def note_unusable(self, versions: Iterable[tuple[str, int]]) -> None:
        """Remember that *versions* (names and numbers) are there, though nobody here can use them.

        A newer worker may have judged by one of them; the last usable version stays in force.
        """
        for name, version in versions:
            self._unusable[name] = max(version, self._unusable.get(name, 0))

    def lacking(self, adopted: Mapping[str, int]) -> dict[str, int]:
        """Return those of the *adopted* versions of which neither they nor later ones are known."""
        return {name: number for name, number in adopted.items() if number > self._newest(name)}

    def _newest(self, name: str) -> int:
        """Return the highest version of *name* that was heard of, 0 for none."""
        return max([*self._versions.get(name, {}), self._unusable.get(name, 0)])

    def in_force(self, at: int, late: Mapping[str, int]) -> dict[str, Entry]:
        """Return the entry of each name that is in force at *at*, the disabled ones too."""
        chosen: dict[str, Entry] = {}
        for name, versions in self._versions.items():
            begun = [
                (begin, version)
                for version, entry in versions.items()
                if (begin := late.get(entry.key, entry.effective_from)) <= at
            ]
            if begun:
                chosen[name] = versions[max(begun)[1]]
        return chosen

    def next_change(self, at: int, late: Mapping[str, int]) -> int | None:
        """Return the first moment after *at* from which another version is in force."""
        moments = (
            late.get(entry.key, entry.effective_from)
            for versions in self._versions.values()
            for entry in versions.values()
        )
        return min((moment for moment in moments if moment > at), default=None)

    def labels(self, at: int, late: Mapping[str, int]) -> frozenset[str]:
        """Return the labels by which rules in force at *at* group, without ``labels.``."""
        return frozenset(
            entry.live.dimension.removeprefix("labels.")
            for entry in self.in_force(at, late).values()
            if entry.live is not None and entry.live.dimension.startswith("labels.")
        )

    def protected(self, at: int, late: Mapping[str, int]) -> frozenset[str]:
        """Return the command types that keep scopes of their own at *at*."""
        entry = self.in_force(at, late).get(PROTECTION)
        return frozenset() if entry is None else entry.protected

    def missed(self, at: int, adopted: Mapping[str, int], late: Mapping[str, int]) -> list[Entry]:
        """Return the entries whose time had passed at *at* without anybody having used them."""
        return [
            entry
            for versions in self._versions.values()
            for entry in versions.values()
            if entry.effective_from <= at
            and entry.key not in late
            and entry.version > adopted.get(entry.name, 0)
        ]
