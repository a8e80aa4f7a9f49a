"""Leases as this package uses them, and their stand-in for a process that is alone with its database."""

import asyncio
from typing import Protocol, final


class Leases(Protocol):
    """Rights that one holder at a time has, for some seconds. Each method may raise StoreUnavailable."""

    async def acquire(self, name: str, ttl: float) -> int | None:
        """Take a lease for ``ttl`` seconds; its term, or None while somebody, this process included, has it."""
        ...

    async def renew(self, name: str, term: int, ttl: float) -> bool:
        """Hold it until ``ttl`` seconds from now; False when another has taken it."""
        ...

    async def release(self, name: str, term: int) -> None:
        """Give it back, if it is still held in this term."""
        ...

    async def held(self, prefix: str) -> bool:
        """Whether anybody has a lease whose name begins so."""
        ...


@final
class LocalLeases:
    """Leases within one process, which is alone with its database."""

    def __init__(self) -> None:
        self._terms: dict[str, int] = {}
        self._until: dict[str, float] = {}

    async def acquire(self, name: str, ttl: float) -> int | None:
        """As in :class:`Leases`."""
        if self._until.get(name, 0.0) > _now():
            return None
        self._until[name] = _now() + ttl
        self._terms[name] = self._terms.get(name, 0) + 1
        return self._terms[name]

    async def renew(self, name: str, term: int, ttl: float) -> bool:
        """As in :class:`Leases`."""
        if self._terms.get(name) != term:
            return False
        self._until[name] = _now() + ttl
        return True

    async def release(self, name: str, term: int) -> None:
        """As in :class:`Leases`."""
        if self._terms.get(name) == term:
            self._until.pop(name, None)

    async def held(self, prefix: str) -> bool:
        """As in :class:`Leases`."""
        return any(name.startswith(prefix) and until > _now() for name, until in self._until.items())


def _now() -> float:
    return asyncio.get_running_loop().time()
