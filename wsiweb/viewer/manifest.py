"""A slide in the words of the viewer's front end.

All of it is known when a slide is opened, but who and what it is about: for that the header of its
coarsest level is read, which is the smallest. What others stored about the slide takes longer, and
comes later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wsiweb.errors import ArchiveError, Busy, Unauthorized, Unreachable
from wsiweb.pixels.optional import if_readable
from wsiweb.viewer.colour import has_profile
from wsiweb.wire.dicomjson import Attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.geometry import Geometry
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Level, Pyramid

__all__ = ["grid_of", "manifest", "telling_headers"]

_MOST_HEADERS = 64  # that are read for the names of channels


async def telling_headers(client: DicomwebClient, pyramid: Pyramid) -> list[Attributes]:
    """Return the headers that tell what a slide is about.

    Returns
    -------
    list of Attributes
        One; several where its channels may be in instances of their own. None at all where the
        archive does not give them: a slide without a name is still to be seen.

    Raises
    ------
    Busy, Unauthorized, Unreachable
        When the archive would not give pixels either.
    """
    coarsest = pyramid.levels[-1]
    uids = coarsest.instance_uids[: _MOST_HEADERS if len(coarsest.channels) > 1 else 1]
    try:
        found = await asyncio.gather(
            *(client.metadata(pyramid.study_uid, pyramid.series_uid, uid) for uid in uids)
        )
    except (Busy, Unauthorized, Unreachable):
        raise
    except ArchiveError:
        return []
    return [headers[0] for headers in found]


def manifest(
    pyramid: Pyramid, headers: Sequence[Attributes], layers: list[Any] | None
) -> dict[str, Any]:
    """Describe a slide.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    headers : sequence of Attributes
        As of `telling_headers`.
    layers : list or None
        Descriptions of what lies over it; None while that is not known.

    Returns
    -------
    dict
        As JSON can hold it; lengths in pixels of level 0, numbers zero-based:

        ``title``, ``study``, ``series``, ``patient``, ``description``, ``container``
            Texts, some of which may be empty.
        ``width``, ``height``
            Of level 0.
        ``mpp``
            Micrometres per pixel ``[x, y]``, or None.
        ``objective``
            Power of the objective, or None.
        ``levels``
            The finest first, see `grid_of`.
        ``channels``
            Optical paths: ``id`` (the number that stands in paths of tiles), ``name``, ``color``
            (``"#rrggbb"`` or None), and ``kind``: ``"color"`` or ``"gray"``.
        ``focalPlanes``
            ``id`` and ``micrometres`` above the first one, or None where that is not known.
        ``label``, ``overview``, ``icc``
            Whether there are such images, and a profile to convert colours by.
        ``toMillimetres``
            ``[a, b, c, d, e, f]`` with x_mm = a x + b y + c and y_mm = d x + e y + f, from pixels
            of level 0 to the slide coordinate system (PS3.3 C.8.12.2.1); or None.
        ``layers``, ``layersComplete``
            What is known of the layers, and whether that is all.
    """
    base = pyramid.levels[0]
    header = headers[0] if headers else Attributes()
    described = _text(header, "SeriesDescription")
    return {
        "title": pyramid.container_id or described or "Slide",
        "study": pyramid.study_uid,
        "series": pyramid.series_uid,
        "patient": _patient(header),
        "description": described or _text(header, "StudyDescription"),
        "container": pyramid.container_id,
        "width": base.size[0],
        "height": base.size[1],
        "mpp": None if pyramid.mpp is None else list(pyramid.mpp),
        "objective": pyramid.magnification,
        "levels": [grid_of(level) for level in pyramid.levels],
        "channels": _channels(base, headers),
        "focalPlanes": [
            {"id": str(plane), "micrometres": 0.0 if plane == 0 else None}
            for plane in range(base.focal_planes)
        ],
        "label": pyramid.label is not None,
        "overview": pyramid.overview is not None,
        "icc": base.samples == 3 and has_profile(header),
        "toMillimetres": None if base.geometry is None else _affine(base.geometry),
        "layers": layers or [],
        "layersComplete": layers is not None,
    }


def grid_of(image: TiledImage | Level) -> dict[str, int]:
    """Return size and tile size of a level in pixels, as the front end calls them."""
    return {
        "width": image.size[0],
        "height": image.size[1],
        "tileWidth": image.tile_size[0],
        "tileHeight": image.tile_size[1],
    }


def _text(header: Attributes, keyword: str) -> str:
    return if_readable(header.text, keyword, "").strip()


def _patient(header: Attributes) -> str:
    """Return name and number of the patient, as far as they are said."""
    name = " ".join(part for part in _text(header, "PatientName").split("^") if part.strip())
    number = _text(header, "PatientID")
    return f"{name} ({number})" if name and number else name or number


def _channels(base: Level, headers: Sequence[Attributes]) -> list[dict[str, Any]]:
    nothing: tuple[Attributes, ...] = ()
    described = {
        _text(item, "OpticalPathIdentifier"): _text(item, "OpticalPathDescription")
        for header in headers
        for item in if_readable(header.items, "OpticalPathSequence", nothing)
    }
    kind = "color" if base.samples == 3 else "gray"
    return [
        {
            "id": str(number),
            "name": described.get(name) or f"Channel {name}",
            "color": None,
            "kind": kind,
        }
        for number, name in enumerate(base.channels)
    ]


def _affine(geometry: Geometry) -> list[float]:
    start = geometry.to_slide([0, 0])
    across, down = (
        [step * part for part in direction]
        for step, direction in zip(
            geometry.spacing, (geometry.row_direction, geometry.column_direction), strict=True
        )
    )
    return [number for axis in (0, 1) for number in (across[axis], down[axis], float(start[axis]))]
