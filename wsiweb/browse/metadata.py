"""What the headers of objects say, for people to read; of any series, not of slides alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb import loop
from wsiweb.errors import NotFound
from wsiweb.viewer import tags
from wsiweb.wire.query import Query

if TYPE_CHECKING:
    from typing import Any

    from wsiweb.browse.shapes import Instance
    from wsiweb.browse.sources import Source
    from wsiweb.wire.dicomjson import Attributes
    from wsiweb.wire.uris import Resource

__all__ = ["elements", "instances"]

_MOST = 1000  # objects of a series that are named


async def instances(source: Source, where: Resource) -> list[Instance]:
    """Return the objects of a series.

    Raises
    ------
    NotFound
        When the archive has no such series.
    ArchiveError
        When it does not answer.
    """
    archive = await source.archive()
    query = Query.build("instances", study=where.study, series=where.series, limit=_MOST)

    async def found() -> list[Attributes]:
        return [one async for page in archive.client.search_pages(query) for one in page]

    listed = await loop.wait(found())
    if not listed:
        raise NotFound(f"{source.name} has no series {where.series} in the study {where.study}.")
    return [{"uid": one.text("SOPInstanceUID").strip(), "title": _title(one)} for one in listed]


async def elements(source: Source, where: Resource) -> list[dict[str, Any]]:
    """Return the attributes of an object, as `wsiweb.viewer.tags.tree` has them; as `instances`."""
    archive = await source.archive()

    async def read() -> list[dict[str, Any]]:
        found = await archive.client.metadata(
            where.study or "", where.series or "", where.instance or ""
        )
        return await loop.in_pool(tags.tree, found[0])

    return await loop.wait(read())


def _title(one: Attributes) -> str:
    number = one.text("InstanceNumber").strip()
    size = [one.text(keyword).strip() for keyword in ("Columns", "Rows")]
    frames = one.text("NumberOfFrames").strip()
    said = [
        f"{number or 'Object'}",
        f"{' x '.join(size)} px" if all(size) else "",
        f"{frames} frames" if frames not in {"", "1"} else "",
    ]
    return ", ".join(filter(None, said))
