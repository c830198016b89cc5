"""Credentials in use: fetched once and renewed once, however many requests wait for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsiweb.client.auth import Auth

__all__ = ["Credentials"]


class Credentials:
    """A provider of credentials and the order in which it is asked.

    Exchanges that use the same provider share one of these: a token is then renewed for all.

    Parameters
    ----------
    auth : Auth
        The provider.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._renewed = 0  # how often a renewal was tried
        self._has_fresh = False  # what came of the last one
        self._renewal = asyncio.Lock()

    def start_anew(self) -> None:
        """Start anew in a forked child."""
        self._renewal = asyncio.Lock()

    @property
    def generation(self) -> int:
        """Which credentials these are; to be noted before a request that they may fail."""
        return self._renewed

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that a request to the archive carries."""
        # Under the lock, so that the first token is fetched once, and a renewal is waited for.
        async with self._renewal:
            return await self._auth.headers()

    async def renew(self, generation: int) -> bool:
        """Renew the credentials, unless it was tried since `generation`; tell if that helped."""
        async with self._renewal:
            if self._renewed == generation:
                self._renewed += 1
                self._has_fresh = False
                self._has_fresh = await self._auth.refresh()
            return self._has_fresh
