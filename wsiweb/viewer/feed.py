"""All that a viewer asks for about one slide, by path: the one seam to any front end.

====================================================  ===========================================
``manifest``                                          what the slide is (`wsiweb.viewer.manifest`)
``tiles/CHANNEL/PLANE/LEVEL/COLUMN/ROW``              a tile; ``?color=srgb`` by its ICC profile
``label``, ``overview``, ``thumbnail/SIZE``           pictures of the whole
``layers``                                            what others stored about it
``layers/ID/PART/LEVEL/COLUMN/ROW``                   a tile of a segmentation or heat map, in gray
``layers/ID/PART/coverage/LEVEL/COLUMN/ROW``          annotations drawn on the grid of the slide
``layers/ID/PART/shapes/X,Y,WIDTH,HEIGHT``            annotations in a box, as flat arrays
``layers/ID/PART/at/X,Y``                             what is at a point
``tags``, ``tags/UID``                                the instances, and the attributes of one
``python``                                            the lines that open it; ``?x=&y=&d=`` there
====================================================  ===========================================

Numbers are zero-based, level 0 is the finest, and places are in pixels of level 0. The same paths
travel over HTTP and over the messages of a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wsiweb import loop
from wsiweb.arguments import shown
from wsiweb.cache import ByteCache
from wsiweb.errors import NotFound
from wsiweb.viewer import associated, python, tags
from wsiweb.viewer.asked import Asked, floats, number
from wsiweb.viewer.colour import Profiles
from wsiweb.viewer.layers import Layers
from wsiweb.viewer.manifest import manifest, telling_headers
from wsiweb.viewer.resource import Resource, as_json, as_text
from wsiweb.viewer.sharing import Shared
from wsiweb.viewer.tiles import TilePlace, Tiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsiweb.viewer.layers import Overlays
    from wsiweb.viewer.viewed import Viewed
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Feed"]

_MEMORY = 32 * 2**20


class Feed:
    """What a viewer asks for about one slide.

    May be used from any thread and any event loop: the work is done on the library's own.

    Parameters
    ----------
    slide : Viewed
        Such as a `wsiweb.Slide`.
    overlays : sequence or bool or None
        What lies over it: results as `wsiweb.Slide.segmentations`, `annotations`, `heatmaps` and
        `reports` return them; False for nothing. By default all that the archive holds about the
        slide, looked for when they are asked for.
    memory : int
        Bytes of pictures that were encoded anew and are held. Frames as they are stored are held by
        the archive's connection, within its own limits.

    Examples
    --------
    >>> feed = Feed(slide)  # doctest: +SKIP
    >>> (await feed.get("tiles/0/0/2/5/7")).media_type  # doctest: +SKIP
    'image/jpeg'
    """

    def __init__(
        self, slide: Viewed, overlays: Overlays | None = None, *, memory: int = _MEMORY
    ) -> None:
        self._pyramid = slide.pyramid
        self._frames = slide.frames
        self._cache: ByteCache[Resource] = ByteCache(memory, lambda one: len(one.data))
        profiles = Profiles(self._frames.client, self._pyramid)
        self._tiles = Tiles(self._frames, self._pyramid, profiles, self._cache)
        self._layers = Layers(self._frames, self._pyramid, overlays, self._cache)
        self._shared = Shared()
        self._headers: list[Attributes] | None = None
        self._answers: dict[str, Callable[[Asked], Awaitable[Resource]]] = {
            "manifest": self._manifest,
            "tiles": self._tile,
            "label": self._beside,
            "overview": self._beside,
            "thumbnail": self._thumbnail,
            "layers": self._layers.get,
            "tags": self._tags,
            "python": self._python,
        }

    async def get(self, path: str) -> Resource:
        """Return a resource.

        When the awaiting task is cancelled, what it alone waited for is no longer fetched.

        Parameters
        ----------
        path : str
            See above; without a slash at its beginning.

        Raises
        ------
        NotFound
            For what the slide does not have.
        ValueError
            For a path that makes no sense.
        ArchiveError, SlideError
            When the archive does not deliver, or what it delivers is damaged.
        """
        return await loop.wait(self._get(path))

    def close(self) -> None:
        """Let go of what is held in memory. May be repeated, and more can be asked for."""
        self._cache.clear()
        self._layers.forget()

    async def _get(self, path: str) -> Resource:
        asked = Asked.of(path)
        answer = self._answers.get(asked.steps[0])
        if answer is None:
            known = ", ".join(self._answers)
            raise asked.odd(f"there is no {shown(asked.steps[0])}, only {known}")
        return await answer(asked)

    async def _manifest(self, asked: Asked) -> Resource:
        asked.only()
        _steps(asked, "manifest")
        if self._headers is None:
            self._headers = await self._shared.get("headers", self._read_headers)
        return as_json(manifest(self._pyramid, self._headers, self._layers.known()))

    async def _read_headers(self) -> list[Attributes]:
        return await telling_headers(self._frames.client, self._pyramid)

    async def _tile(self, asked: Asked) -> Resource:
        asked.only("color")
        steps = _steps(asked, "tiles/CHANNEL/PLANE/LEVEL/COLUMN/ROW")
        names = ("channel", "focal plane", "level", "column", "row")
        place = tuple(number(step, name) for step, name in zip(steps, names, strict=True))
        color = asked.option("color", "source")
        if color not in ("source", "srgb"):
            raise asked.odd("color is source or srgb")
        return await self._tiles.tile(cast("TilePlace", place), color)

    async def _beside(self, asked: Asked) -> Resource:
        asked.only()
        name = asked.steps[0]
        _steps(asked, name)
        return await self._kept(
            name,
            lambda: associated.beside(
                self._frames, self._pyramid, "label" if name == "label" else "overview"
            ),
        )

    async def _thumbnail(self, asked: Asked) -> Resource:
        asked.only()
        (size,) = _steps(asked, "thumbnail/SIZE")
        pixels = number(size, "The size of a thumbnail")
        return await self._kept(
            ("thumbnail", pixels),
            lambda: associated.thumbnail(self._frames, self._pyramid, pixels),
        )

    async def _tags(self, asked: Asked) -> Resource:
        asked.only()
        listed = tags.instances_of(self._pyramid)
        if len(asked.steps) == 1:
            return as_json(listed + self._layers.instances())
        (uid,) = _steps(asked, "tags/UID")
        if any(one["uid"] == uid for one in listed):
            series = self._pyramid.series_uid
        else:
            series = self._layers.series_of(uid)
        if series is None:
            raise NotFound(f"Instance {shown(uid)} is none of this slide, or of its layers.")
        found = await self._frames.client.metadata(self._pyramid.study_uid, series, uid)
        return await loop.in_pool(lambda: as_json(tags.tree(found[0])))

    async def _python(self, asked: Asked) -> Resource:
        asked.only("x", "y", "d")
        _steps(asked, "python")
        at = None
        if "x" in asked.options or "y" in asked.options:
            point = f"{asked.option('x')},{asked.option('y')}"
            x, y = floats(point, 2, "x and y")
            at = x, y
        (downsample,) = floats(asked.option("d", "1"), 1, "d")
        url = self._frames.client.base_url
        return as_text(python.lines(self._pyramid, url, at, downsample))

    async def _kept(self, key: object, make: Callable[[], Awaitable[Resource]]) -> Resource:
        """Return what is made once and then held."""

        async def made() -> Resource:
            return await make()

        held = self._cache.get(key)
        if held is None:
            held = await self._shared.get(key, made)
            self._cache.put(key, held)
        return held


def _steps(asked: Asked, form: str) -> tuple[str, ...]:
    """Return the steps behind the first; refuse a path of another length than its form has.

    Raises
    ------
    ValueError
        For a path that is too long or too short.
    """
    if len(asked.steps) != len(form.split("/")):
        raise asked.odd(f"it has the form {form}")
    return asked.steps[1:]
