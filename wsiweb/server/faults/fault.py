"""What a fault is: a name, options, which requests it befalls, and what it does to them.

A `Fault` is a value. What it must remember (how many requests have come) begins anew with each
server that it is put before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar

from wsiweb.server.faults.options import option, options_of, written
from wsiweb.server.faults.passing import Call, Gone

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["WHICH", "Befall", "Befallen", "Fault", "StoreFault"]

Befall = Callable[["ASGIApp", Call], Awaitable[None]]
"""What is done with a request, given the application that would answer it."""

WHICH = ("all", "store", "read", "search", "metadata", "frames", "objects", "rendered", "bulkdata")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What every fault has: which requests it befalls.

    Requests of the kind `on` are counted. After the first `after`, each `every`-th is befallen,
    with the probability `rate`, until that was done `times` times. Chance comes from `seed` and
    the order in which requests arrive, and is the same in each run.

    Raises
    ------
    ValueError
        For an option that makes no sense.
    """

    name: ClassVar[str] = ""
    """What users call it."""

    on: str = option("all", "requests that it befalls", choices=WHICH)
    after: int = option(0, "so many of them pass first")
    every: int = option(1, "of the others, each so-many-th is befallen", least=1)
    times: int | None = option(None, "at most so many are befallen")
    rate: float = option(1.0, "with this probability, from 0 to 1", most=1)
    seed: int = option(0, "of that chance, which is the same in each run")

    def __post_init__(self) -> None:
        for name, known in options_of(self).items():
            value = getattr(self, name)
            if not known.fits(value):
                raise ValueError(f"{self.name}: {name} is {value!r}; it takes {known.wanted}.")

    def __str__(self) -> str:
        given = [
            f"{name}={written(getattr(self, name))}"
            for name, known in options_of(self).items()
            if getattr(self, name) != known.default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    def start(self) -> Befall:
        """Return what is done with a request, with a memory of its own if it needs one."""
        return self.befall

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Do to a request what the name says; the default does nothing."""
        await call.pass_on(app)


@dataclass(frozen=True, kw_only=True)
class StoreFault(Fault):
    """A fault of requests that store."""

    on: str = option("store", "requests that it befalls", choices=WHICH)


class Befallen:
    """An ASGI application before which a fault stands.

    Parameters
    ----------
    app : ASGI application
        What answers where the fault does not.
    fault : Fault
        What befalls it.
    """

    def __init__(self, app: ASGIApp, fault: Fault) -> None:
        self._app = app
        self._fault = fault
        self._befall = fault.start()
        self._seen = 0
        self._done = 0
        # Named too, so that two faults of the same seed do not strike the same requests.
        self._random = Random(f"{fault.name}:{fault.seed}")  # noqa: S311 - chance, not a secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, well or badly."""
        if scope["type"] == "http" and self._strikes(call := Call(scope, receive, send)):
            with contextlib.suppress(Gone):
                await self._befall(self._app, call)
        else:
            await self._app(scope, receive, send)

    def _strikes(self, call: Call) -> bool:
        fault = self._fault
        if call.own or not _is_meant(fault.on, call):
            return False
        self._seen += 1
        beyond = self._seen - fault.after
        if beyond <= 0 or beyond % fault.every:
            return False
        if fault.times is not None and self._done >= fault.times:
            return False
        struck = self._random.random() < fault.rate
        self._done += struck
        return struck


def _is_meant(on: str, call: Call) -> bool:
    if on == "all":
        return True
    return (call.kind != "store") if on == "read" else call.kind == on
