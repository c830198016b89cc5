"""What lies over a slide: what the archive holds about it, or what a user gives.

=============  =====================================================================
`layer`        what is said of a layer, and of its parts
`rasters`      segmentations and heat maps as tiles of gray
`shapes`       shapes in a box, on a tile, at a point
`marks`        annotations and reports as shapes
`drawing`      shapes drawn on a tile
`hits`         which shapes are at a point
=============  =====================================================================
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from wsiweb.arguments import shown
from wsiweb.errors import NotFound, WsiwebError
from wsiweb.results.reading.annotations import Annotations, read_annotations
from wsiweb.results.reading.heatmap import HeatMap, read_heatmaps
from wsiweb.results.reading.report import Report, read_reports
from wsiweb.results.reading.segmentation import Segmentation, read_segmentations
from wsiweb.viewer.asked import Asked, floats, number
from wsiweb.viewer.layers.layer import LayerKind, Unread
from wsiweb.viewer.layers.marks import annotation_layer, report_layer
from wsiweb.viewer.layers.rasters import HeatMapLayer, RasterLayer, SegmentationLayer
from wsiweb.viewer.layers.shapes import ShapeLayer
from wsiweb.viewer.resource import Resource, as_json
from wsiweb.viewer.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from wsiweb.cache import ByteCache
    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["Layer", "Layers", "Overlay", "Overlays"]

Layer: TypeAlias = RasterLayer | ShapeLayer
Overlay: TypeAlias = Segmentation | Annotations | HeatMap | Report
Overlays: TypeAlias = "Sequence[Overlay] | bool"

_READERS: dict[LayerKind, Callable[..., Coroutine[Any, Any, Sequence[Overlay]]]] = {
    "segmentation": read_segmentations,
    "annotations": read_annotations,
    "heatmap": read_heatmaps,
    "report": read_reports,
}
_MOST_SHAPES = 3000  # what a browser draws smoothly
_LIMIT = 1_000_000  # shapes of one answer, whatever is asked for
_FORMS = (
    "layers, layers/ID/PART/LEVEL/COLUMN/ROW, layers/ID/PART/coverage/LEVEL/COLUMN/ROW, "
    "layers/ID/PART/shapes/X,Y,WIDTH,HEIGHT or layers/ID/PART/at/X,Y"
)


class Layers:
    """The layers of a slide; to be used on the library's event loop.

    Parameters
    ----------
    frames, pyramid : Frames, Pyramid
        The slide.
    overlays : sequence or bool or None
        As for `wsiweb.viewer.Feed`.
    cache : ByteCache
        Holds tiles.
    """

    def __init__(
        self,
        frames: Frames,
        pyramid: Pyramid,
        overlays: Overlays | None,
        cache: ByteCache[Resource],
    ) -> None:
        self._frames = frames
        self._pyramid = pyramid
        self._given = _checked(overlays)
        self._cache = cache
        self._shared = Shared()
        self._layers: dict[str, Layer] | None = {} if self._given == [] else None
        self._unread: list[Unread] = []

    # What there is --------------------------------------------------------------------------

    def known(self) -> list[dict[str, Any]] | None:
        """Return the descriptions of all layers; None while they have not been looked for."""
        if self._layers is None:
            return None
        return [one.described() for one in (*self._layers.values(), *self._unread)]

    def instances(self) -> list[dict[str, str]]:
        """Return the instances of the layers that are known: ``uid`` and ``title`` of each."""
        return [
            {"uid": uid, "title": f"{layer.about.kind.capitalize()}: {layer.about.title}"}
            for layer in (self._layers or {}).values()
            for uid in layer.about.instance_uids
        ]

    def series_of(self, uid: str) -> str | None:
        """Return the series of an instance that a layer is made of; None for any other."""
        for layer in (self._layers or {}).values():
            if uid in layer.about.instance_uids:
                return layer.about.series_uid
        return None

    def forget(self) -> None:
        """Let go of the shapes that are held; they are fetched again when they are wanted."""
        if self._layers:
            self._layers = None

    # What is asked --------------------------------------------------------------------------

    async def get(self, asked: Asked) -> Resource:
        """Answer a path that begins with ``layers``.

        Raises
        ------
        NotFound, ValueError
            For what is not there, or makes no sense.
        """
        match asked.steps[1:]:
            case ():
                asked.only()
                await self._look()
                return as_json(self.known())
            case (id_, part, "shapes", box):
                asked.only("most")
                return await self._within(asked, (id_, part), box)
            case (id_, part, "at", point):
                asked.only("within")
                return await self._at(asked, (id_, part), point)
            case (id_, part, "coverage", *place) if len(place) == 3:
                asked.only()
                shapes = await self._shapes(id_)
                numbers = _numbers(place)
                return await self._kept(asked, lambda: shapes.coverage(part, *numbers))
            case (id_, part, *place) if len(place) == 3:
                asked.only()
                raster = await self._layer(id_)
                numbers = _numbers(place)
                if not isinstance(raster, RasterLayer):
                    raise NotFound(f"Layer {id_} has no pixels; ask for its coverage or shapes.")
                return await self._kept(asked, lambda: raster.tile(part, *numbers))
            case _:
                raise asked.odd(f"it has the form {_FORMS}")

    async def _within(self, asked: Asked, which: tuple[str, str], text: str) -> Resource:
        layer = await self._shapes(which[0])
        box = floats(text, 4, "A box (x, y, width, height)")
        most = number(asked.option("most", str(_MOST_SHAPES)), "most")
        if min(box[2:]) < 0:
            raise asked.odd("a box has no negative size")
        return await layer.within(which[1], box, min(most, _LIMIT))

    async def _at(self, asked: Asked, which: tuple[str, str], text: str) -> Resource:
        layer = await self._layer(which[0])
        x, y = floats(text, 2, "A point (x, y)")
        (within,) = floats(asked.option("within", "0"), 1, "within")
        if within < 0:
            raise asked.odd("within is a distance")
        return as_json(await layer.at(which[1], (x, y), within))

    async def _kept(
        self, asked: Asked, make: Callable[[], Coroutine[Any, Any, Resource]]
    ) -> Resource:
        """Return a tile from memory, or make it."""
        held = self._cache.get(asked.steps)
        if held is None:
            held = await self._shared.get(asked.steps, make)
            self._cache.put(asked.steps, held)
        return held

    # Looked for -----------------------------------------------------------------------------

    async def _layer(self, id: str) -> Layer:  # noqa: A002 - what it is called everywhere
        if self._layers is None:
            await self._look()
        layer = (self._layers or {}).get(id)
        if layer is None:
            raise NotFound(f"This slide has no layer {shown(id)}.")
        return layer

    async def _shapes(self, id: str) -> ShapeLayer:  # noqa: A002 - as above
        layer = await self._layer(id)
        if not isinstance(layer, ShapeLayer):
            raise NotFound(f"Layer {id} has no shapes; ask for its tiles.")
        return layer

    async def _look(self) -> None:
        """Find out which layers there are; what is known already stays as it is."""
        self._layers, self._unread = await self._shared.get("layers", self._found)

    async def _found(self) -> tuple[dict[str, Layer], list[Unread]]:
        """Return the layers, and what could not be read: that is asked for again the next time."""
        if self._given is None:
            overlays, unread = await self._stored()
        else:
            overlays, unread = self._given, []
        before = self._layers or {}
        new = [one for one in overlays if _id_of(one) not in before]
        made = await asyncio.gather(
            *(_layer_of(self._pyramid, one) for one in new), return_exceptions=True
        )
        layers = {_id_of(one): before.get(_id_of(one)) for one in overlays}  # in their order
        for overlay, layer in zip(new, made, strict=True):
            if isinstance(layer, WsiwebError):
                unread.append(Unread.result(overlay, _kind_of(overlay), _id_of(overlay), layer))
            elif isinstance(layer, BaseException):
                raise layer
            else:
                layers[layer.about.id] = layer
        return {id_: layer for id_, layer in layers.items() if layer is not None}, unread

    async def _stored(self) -> tuple[list[Overlay], list[Unread]]:
        """Return what the archive holds about the slide, and of which kinds it does not say it.

        Raises
        ------
        WsiwebError
            When it says nothing of any kind.
        """

        def connect() -> Frames:
            return self._frames

        listed = await asyncio.gather(
            *(read(self._pyramid, connect) for read in _READERS.values()), return_exceptions=True
        )
        overlays: list[Overlay] = []
        unread: list[Unread] = []
        for kind, found in zip(_READERS, listed, strict=True):
            if isinstance(found, WsiwebError):
                unread.append(Unread.all_of(kind, found))
            elif isinstance(found, BaseException):
                raise found
            else:
                overlays += found
        if len(unread) == len(_READERS):
            raise unread[0].error
        return overlays, unread


def _checked(overlays: Overlays | None) -> list[Overlay] | None:
    """Return what is given; None for what is to be looked for.

    Raises
    ------
    ValueError
        For what is no stored result.
    """
    if overlays is None or overlays is True:
        return None
    given = [] if overlays is False else list(overlays)
    for one in given:
        if not isinstance(one, (Segmentation, Annotations, HeatMap, Report)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(  # noqa: TRY004 - as everywhere here, what is given is a value
                "overlays are results such as slide.segmentations() and slide.annotations() "
                f"return, or False for none; {shown(one)} is none."
            )
    return given


def _id_of(overlay: Overlay) -> str:
    if isinstance(overlay, Segmentation):
        return overlay.instance_uids[0]
    return overlay.instance_uid


def _kind_of(overlay: Overlay) -> LayerKind:
    match overlay:
        case Segmentation():
            return "segmentation"
        case HeatMap():
            return "heatmap"
        case Annotations():
            return "annotations"
        case Report():
            return "report"


async def _layer_of(pyramid: Pyramid, overlay: Overlay) -> Layer:
    match overlay:
        case Segmentation():
            return SegmentationLayer(pyramid, overlay)
        case HeatMap():
            return HeatMapLayer(pyramid, overlay, await overlay.extremes_async())
        case Annotations():
            return annotation_layer(pyramid, overlay)
        case Report():
            return report_layer(pyramid, overlay)


def _numbers(place: Sequence[str]) -> tuple[int, int, int]:
    level, column, row = (
        number(step, name) for step, name in zip(place, ("level", "column", "row"), strict=True)
    )
    return level, column, row
