"""What lies over a slide, as the front end is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wsiweb.arguments import shown
from wsiweb.errors import NotFound

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from wsiweb.errors import WsiwebError

__all__ = ["About", "LayerKind", "Part", "Unread", "hexadecimal", "named_part"]

LayerKind = Literal["segmentation", "annotations", "heatmap", "report"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What can be shown or hidden by itself: a segment, a group, a map.

    Attributes
    ----------
    id : str
        What it is called in paths.
    name : str
        What people call it.
    color : str
        ``"#rrggbb"``.
    count : int or None
        How many annotations it has; None for pixels.
    """

    id: str
    name: str
    color: str
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What is said of a layer.

    Attributes
    ----------
    id : str
        SOPInstanceUID of its (first) object.
    kind : LayerKind
        What it is.
    title, creator : str
        Name of the result, and who or what made it; may be empty.
    created : datetime.datetime or None
        When.
    series_uid : str
        Series Instance UID of its objects.
    instance_uids : tuple of str
        SOP Instance UIDs of its objects.
    parts : tuple of Part
        What it is made of.
    """

    id: str
    kind: LayerKind
    title: str
    creator: str
    created: datetime.datetime | None
    series_uid: str
    instance_uids: tuple[str, ...]
    parts: tuple[Part, ...]

    def described(self, raster: dict[str, Any] | None, *, shapes: bool) -> dict[str, Any]:
        """Return it as the front end reads it; see `wsiweb.viewer.layers.Layers`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title or self.kind.capitalize(),
            "creator": self.creator,
            "created": "" if self.created is None else self.created.isoformat(),
            "parts": [
                {"id": part.id, "name": part.name, "color": part.color, "count": part.count}
                for part in self.parts
            ],
            "raster": raster,
            "shapes": shapes,
            "problem": "",
        }


@dataclass(frozen=True, slots=True)
class Unread:
    """What is there, or may be, and could not be read; it stands among the layers with the reason.

    Attributes
    ----------
    about : About
        What is known of it; it has no parts.
    error : WsiwebError
        Why.
    """

    about: About
    error: WsiwebError

    @classmethod
    def result(cls, overlay: Any, kind: LayerKind, uid: str, error: WsiwebError) -> Unread:
        """Make it of one result of a kind, by the UID of its (first) object."""
        about = About(
            id=uid,
            kind=kind,
            title=overlay.name,
            creator="",
            created=overlay.created,
            series_uid=overlay.series_uid,
            instance_uids=(uid,),
            parts=(),
        )
        return cls(about, error)

    @classmethod
    def all_of(cls, kind: LayerKind, error: WsiwebError) -> Unread:
        """Make it of all results of a kind, of which not even a list could be had."""
        about = About(
            id=f"unread-{kind}",
            kind=kind,
            title="",
            creator="",
            created=None,
            series_uid="",
            instance_uids=(),
            parts=(),
        )
        return cls(about, error)

    def described(self) -> dict[str, Any]:
        """Return it as the front end reads it."""
        return {
            **self.about.described(None, shapes=False),
            "problem": f"This could not be read: {self.error}",
        }


def named_part(about: About, id: str) -> int:  # noqa: A002 - what it is called everywhere
    """Return the place of a part among the others.

    Raises
    ------
    NotFound
        When there is no such part.
    """
    for place, part in enumerate(about.parts):
        if part.id == id:
            return place
    known = _listed([part.id for part in about.parts])
    raise NotFound(f"Layer {about.id} has no part {shown(id)}; it has {known}.")


def _listed(names: Sequence[str]) -> str:
    return (", ".join(names[:10]) + (", ..." if len(names) > 10 else "")) or "none"


def hexadecimal(color: Iterable[int]) -> str:
    """Return red, green and blue as web pages write them.

    Examples
    --------
    >>> hexadecimal((255, 128, 0))
    '#ff8000'
    """
    return "#" + "".join(f"{value:02x}" for value in color)
