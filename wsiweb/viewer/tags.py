"""The attributes of an instance as a tree of words, for people to look at.

It is data, as it came: whoever shows it has to escape it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsiweb.errors import ProtocolError
from wsiweb.wire.tags import keyword_of
from wsiweb.words import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["instances_of", "tree"]

_MOST_ITEMS = 50  # of a sequence: a sparse slide may have 100,000 frames in one
_MOST_VALUES = 64
_LONGEST = 1024  # characters of a value
_DEEPEST = 16  # sequences within sequences


def instances_of(pyramid: Pyramid) -> list[dict[str, str]]:
    """Return the instances of a slide, each with ``uid`` and ``title``, the finest level first."""
    images: list[tuple[str, TiledImage]] = [
        (f"Level {level.index}", level) for level in pyramid.levels
    ]
    for name in ("label", "overview", "thumbnail"):
        image: TiledImage | None = getattr(pyramid, name)
        if image is not None:
            images.append((name.capitalize(), image))
    found = [
        {"uid": uid, "title": f"{name}: {image.size[0]} x {image.size[1]} px{part}"}
        for name, image in images
        for uid, part in _parts(image)
    ]
    return found + [{"uid": out.instance_uid, "title": "Not used"} for out in pyramid.left_out]


def _parts(image: TiledImage) -> Iterator[tuple[str, str]]:
    uids = image.instance_uids
    for number, uid in enumerate(uids, 1):
        yield uid, f", part {number} of {len(uids)}" if len(uids) > 1 else ""


def tree(header: Attributes, depth: int = 0) -> list[dict[str, Any]]:
    """Return the attributes of a dataset.

    Parameters
    ----------
    header : Attributes
        The dataset.
    depth : int
        How many sequences it stands in.

    Returns
    -------
    list of dict
        By tag: ``tag`` as eight hexadecimal digits, ``keyword`` (empty for private ones), ``vr``,
        ``value`` as text, and for sequences ``items``, each a list like this one. Of very long
        values and sequences the beginning; ``value`` says how much there is.
    """
    return [_entry(header, tag, depth) for tag in sorted(header.tags())]


def _entry(header: Attributes, tag: str, depth: int) -> dict[str, Any]:
    keyword = keyword_of(tag)
    vr = header.vr(tag)
    entry: dict[str, Any] = {"tag": tag, "keyword": "" if keyword == tag else keyword, "vr": vr}
    try:
        if vr == "SQ":
            items = header.items(tag)
            entry["value"] = _counted(len(items))
            if depth < _DEEPEST:
                entry["items"] = [tree(item, depth + 1) for item in items[:_MOST_ITEMS]]
        else:
            entry["value"] = _value(header, tag, vr)
    except ProtocolError as error:
        entry["value"] = f"(cannot be read: {error.message})"
    return entry


def _counted(count: int) -> str:
    items = f"{count:,} item{'' if count == 1 else 's'}"
    return f"{items}, of which the first {_MOST_ITEMS}" if count > _MOST_ITEMS else items


def _value(header: Attributes, tag: str, vr: str) -> str:
    kept = header.bulk(tag)
    if kept is not None:
        return "(kept apart)" if kept.inline is None else f"({amount(len(kept.inline))})"
    # A person's name in all its forms: which of them people read depends on where they are.
    values = header.names(tag) if vr == "PN" else header.texts(tag)
    text = ("=" if vr == "PN" else "\\").join(values[:_MOST_VALUES])
    if len(values) > _MOST_VALUES or len(text) > _LONGEST:
        return f"{text[:_LONGEST]}... ({len(values):,} values)"
    return text
