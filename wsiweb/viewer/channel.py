"""A feed over a message channel, such as the one between a Jupyter widget and its kernel.

The frontend says ``{"view": name, "turn": n, "want": [[id, path], ...], "cancel": [id, ...]}``; it
is answered ``{"got": [[id, media type, null], ...], "heard": {name: n}}`` with as many buffers, in
that order. What cannot be had comes as ``[id, "", {"status": 404, "words": "..."}]``. Names and ids
are the frontend's own: a widget may be seen in several places, which all hear what is answered.

Messages carry many tiles, because Jupyter counts messages: what is ready within a frame of time
leaves together. Each turn is heard at once, before anything of it is answered; a frontend that
hears nothing knows that the kernel is busy and not that the archive is slow. A path that is wanted
again under the same id, because its answer may have been lost, is not fetched twice at a time.

Messages may come in any thread (the main one, or a subshell's): all is done on the library's loop,
so there is nothing to lock.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.errors import NotFound, WsiwebError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsiweb.viewer.feed import Feed

__all__ = ["Channel"]

_FRAME = 0.012  # seconds in which answers gather
_MOST_BYTES = 2**20  # that gather; more of it would keep the first ones waiting
_MOST_WANTED = 512  # at once, by one channel: a frontend of ours wants 32
_EXPECTED = {"view", "turn", "want", "cancel"}

_log = logging.getLogger(__name__)


class Channel:
    """Answers what a frontend wants of a slide.

    Parameters
    ----------
    feed : Feed
        The slide.
    send : callable
        Takes a message that JSON knows, and buffers. It is called on the library's loop.
    """

    def __init__(self, feed: Feed, send: Callable[[dict[str, Any], list[bytes]], None]) -> None:
        self._feed = feed
        self._send = send
        self._under_way: dict[str | int, asyncio.Task[None]] = {}
        self._answers: list[tuple[list[Any], bytes]] = []
        self._bytes = 0
        self._heard: dict[str, int] = {}
        self._flushing: asyncio.TimerHandle | None = None
        self._closed = False

    def receive(self, message: object) -> None:
        """Take a message of the frontend; from any thread, without waiting.

        What is no message of this protocol is left alone: other versions may say more.
        """
        if isinstance(message, dict) and message.keys() >= _EXPECTED:
            loop.call(self._take, message)

    def close(self) -> None:
        """Give up what is under way, and answer no more; from any thread. May be repeated."""
        loop.call(self._end)

    # On the library's loop ------------------------------------------------------------------

    def _take(self, message: Mapping[str, Any]) -> None:
        if self._closed:
            return
        for name in message["cancel"]:
            task = self._under_way.pop(name, None)
            if task is not None:
                task.cancel()
        for name, path in message["want"]:
            self._begin(name, path)
        self._heard[message["view"]] = message["turn"]
        self._flush_soon()

    def _begin(self, name: str | int, path: str) -> None:
        if name in self._under_way:
            return
        if len(self._under_way) >= _MOST_WANTED:
            self._refuse(name, 429, f"More than {_MOST_WANTED} things are wanted at once.")
            return
        task = asyncio.get_running_loop().create_task(self._answer(name, path))
        self._under_way[name] = task

    async def _answer(self, name: str | int, path: str) -> None:
        try:
            resource = await self._feed.get(path)
        except asyncio.CancelledError:
            return  # nobody waits for it
        except NotFound as error:
            self._refuse(name, 404, str(error))
        except (ValueError, IndexError, TypeError) as error:
            self._refuse(name, 400, str(error))
        except (WsiwebError, OSError) as error:
            self._refuse(name, 502, str(error))
        except Exception as error:  # a fault of ours must not leave the viewer waiting for ever
            _log.exception("%s could not be answered", path)
            self._refuse(name, 500, f"{type(error).__name__}: {error}")
        else:
            self._add([name, resource.media_type, None], resource.data)
        finally:
            if self._under_way.get(name) is asyncio.current_task():
                del self._under_way[name]

    def _refuse(self, name: str | int, status: int, words: str) -> None:
        self._add([name, "", {"status": status, "words": words}], b"")

    def _add(self, answer: list[Any], data: bytes) -> None:
        self._answers.append((answer, data))
        self._bytes += len(data)
        if self._bytes >= _MOST_BYTES:
            self._flush()
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(_FRAME, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._closed:
            return
        answers, self._answers, self._bytes = self._answers, [], 0
        message = {"got": [answer for answer, _ in answers], "heard": self._heard}
        self._heard = {}
        try:
            self._send(message, [data for _, data in answers])
        except Exception:
            # The other end is gone (a kernel that ends, a closed widget); nobody would hear it.
            _log.debug("A message to the frontend was lost", exc_info=True)

    def _end(self) -> None:
        self._closed = True
        if self._flushing is not None:
            self._flushing.cancel()
        for task in self._under_way.values():
            task.cancel()
        self._under_way.clear()
        self._answers.clear()
