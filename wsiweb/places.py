"""Where an archive is, and this process's connection to it."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.client.client import DicomwebClient
from wsiweb.client.http import HttpTransport
from wsiweb.client.in_process import AsgiTransport
from wsiweb.client.profile import recall
from wsiweb.frames import Frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.client.auth import Auth
    from wsiweb.settings import Settings

__all__ = ["Place", "forget", "frames_again", "frames_at"]

_MOST_REOPENED = 4
_IDLE_WHEN_STORING = 0.5  # seconds; Orthanc hangs up after 1


@dataclasses.dataclass(frozen=True)
class Place:
    """All that another process needs to connect by itself."""

    key: str
    where: str
    auth: Auth = dataclasses.field(repr=False)
    ca: str | None
    settings: Settings
    store_auth: Auth | None = dataclasses.field(repr=False)
    store_where: str | None
    outbox: Path | None

    @property
    def folder(self) -> Path | None:
        """The folder that is read as if it were an archive; None for one behind a URL."""
        return None if "://" in self.where else Path(self.where)


_connected: weakref.WeakValueDictionary[str, Frames] = weakref.WeakValueDictionary()
_connecting = threading.Lock()
_reopened: dict[str, Frames] = {}  # by place, the latest last


def frames_at(place: Place) -> Frames:
    """Return this process's connection to a place: one, however many slides come unpickled."""
    with _connecting:
        frames = _connected.get(place.key)
        if frames is None:
            transport = _transport_to(place)
            profile = recall(transport.base_url)
            client = DicomwebClient(
                transport,
                place.auth,
                place.settings,
                profile,
                store_transport=_transport_for_storing(place),
                store_auth=place.store_auth,
            )
            frames = _connected[place.key] = Frames(client, place.settings)
        return frames


def _transport_to(place: Place) -> HttpTransport | AsgiTransport:
    folder = place.folder
    if folder is None:
        return HttpTransport(place.where, place.settings, ca=place.ca)
    from wsiweb.server import create_app

    def start() -> tuple[Any, Callable[[], None]]:
        app = create_app(folder, stow=True)  # by `Archive.store`, nobody else asks it
        return app, app.state.store.close

    return AsgiTransport(start, folder.as_uri())


def _transport_for_storing(place: Place) -> HttpTransport | None:
    """Return connections for what is stored; None for those of a folder's own application."""
    where = place.store_where or place.where
    if "://" not in where:
        return None
    return HttpTransport(where, place.settings, ca=place.ca, idle=_IDLE_WHEN_STORING)


def frames_again(place: Place) -> Frames:
    """Return the frames of a slide or a result that was pickled, perhaps in another process."""
    frames = _connected.get(place.key)
    if frames is None:
        # A worker gets its slide anew with each task, and should not connect anew each time.
        frames = _reopened[place.key] = frames_at(place)
        if len(_reopened) > _MOST_REOPENED:
            _reopened.pop(next(iter(_reopened)))
    return frames


def forget(place: Place) -> None:
    """Let go of this process's connection to a place, which is closed elsewhere."""
    _connected.pop(place.key, None)
    _reopened.pop(place.key, None)
