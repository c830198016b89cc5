"""The metadata of a series to a `Pyramid`.

Real series are untidy: levels of any factor, in any order, some in several instances, beside
labels, segmentations and second pyramids. Whatever is not used is left out with a reason; what
cannot be true is refused, naming attribute and instance.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsiweb.errors import ProtocolError, SlideError
from wsiweb.pixels.assembly import image_of
from wsiweb.pixels.channels import are_channels, joined
from wsiweb.pixels.instance import Header, Unsupported, flavor_of, identity_of, read_header
from wsiweb.pixels.pyramid import LeftOut, Level, Pyramid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.pixels.image import Flavor, TiledImage
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["read_pyramid"]

_SKEW = 0.05  # by how much the two edges of a level may be shrunk differently


def read_pyramid(instances: Sequence[Attributes]) -> Pyramid:
    """Read the slide model out of the headers of one series.

    Parameters
    ----------
    instances : sequence of Attributes
        The metadata of the series' instances (PS3.18 10.4.1.1.2), in any order.

    Returns
    -------
    Pyramid
        With what was left out, and why.

    Raises
    ------
    SlideError
        If no level can be read or the finest one cannot, or a level's header is impossible.
    """
    sorting = _Sorting()
    series = _series_of(instances)
    for attributes in instances:
        _sort_in(sorting, attributes, series)
    images = {
        flavor: _assembled(sorting, series, headers) for flavor, headers in sorting.found.items()
    }
    volumes = images.get("VOLUME", [])
    if not volumes:
        reasons = "; ".join(f"{each.instance_uid} {each.reason}" for each in sorting.left_out[:9])
        raise SlideError(
            f"Series {series[1] or '?'} has no whole-slide image with ImageType VOLUME that can "
            f"be read. {'Its instances: ' + reasons if reasons else 'It has no instances'}."
        )
    chosen = _with_channels(_one_family(sorting, volumes))
    base = chosen[0]
    for area, words in sorting.unreadable:
        if area > base.first.area:
            raise SlideError(f"The finest level cannot be read. {words}")
    levels = _levels(sorting, chosen)
    return Pyramid(
        study_uid=series[0],
        series_uid=series[1],
        levels=levels,
        label=_largest(sorting, images.get("LABEL", [])),
        overview=_largest(sorting, images.get("OVERVIEW", [])),
        thumbnail=_largest(sorting, images.get("THUMBNAIL", [])),
        left_out=tuple(sorting.left_out),
        frame_of_reference_uid=base.first.family[0],
        container_id=base.first.family[1],
        objective_power=base.first.power,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """An image, and the header of its first part."""

    first: Header
    image: TiledImage


@dataclass(slots=True)
class _Sorting:
    """What has become of the instances so far."""

    seen: set[str] = field(default_factory=set[str])
    found: dict[Flavor, list[Header]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)  # area of a VOLUME, words

    def leave(self, header: Header, reason: str) -> None:
        self.left_out.append(LeftOut(header.uid, reason))


def _series_of(instances: Sequence[Attributes]) -> tuple[str, str]:
    """Return the study and series that most instances belong to."""
    counted: Counter[tuple[str, str]] = Counter()
    for attributes in instances:
        try:
            counted[identity_of(attributes)[:2]] += 1
        except ProtocolError as error:
            raise SlideError(f"An instance cannot be read: {error.message}") from error
    return counted.most_common(1)[0][0] if counted else ("", "")


def _sort_in(sorting: _Sorting, attributes: Attributes, series: tuple[str, str]) -> None:
    """Read one instance's header, or leave it out."""
    study, own_series, uid = identity_of(attributes)
    flavor: Flavor | None = None
    aside = ""
    if (study, own_series) != series:
        aside = f"belongs to series {own_series} of study {study}"
    elif uid in sorting.seen:
        aside = "was listed twice"
    if aside:
        sorting.left_out.append(LeftOut(uid, aside))
        return
    sorting.seen.add(uid)
    try:
        flavor = flavor_of(attributes)
        sorting.found.setdefault(flavor, []).append(read_header(attributes, flavor))
    except Unsupported as verdict:
        sorting.left_out.append(LeftOut(uid, str(verdict)))
        if flavor == "VOLUME":
            words = f"Instance {uid} {verdict}."
            sorting.unreadable.append((_claimed_area(attributes), words))
    except (ProtocolError, SlideError) as error:
        _refuse(sorting, uid, flavor, error)


def _claimed_area(attributes: Attributes) -> int:
    keywords = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows")
    width, height = (attributes.integer(keyword) or 0 for keyword in keywords)
    return width * height


def _refuse(
    sorting: _Sorting, uid: str, flavor: Flavor | None, error: ProtocolError | SlideError
) -> None:
    """Refuse the slide for an impossible level; do without an impossible label."""
    # What is wrong with a value is known below; whose value it is, only here.
    words = f"Instance {uid}: {error.message}" if isinstance(error, ProtocolError) else str(error)
    if flavor in {None, "VOLUME"}:
        raise SlideError(words) from error
    sorting.left_out.append(LeftOut(uid, words))


# Instances to images


def _assembled(sorting: _Sorting, series: tuple[str, str], headers: list[Header]) -> list[_Found]:
    """Put the parts of concatenations together; return images, the largest first."""
    parts: dict[str, list[Header]] = {}
    for header in headers:
        parts.setdefault(header.concatenation or header.uid, []).append(header)
    found: list[_Found] = []
    for group in parts.values():
        group.sort(key=lambda header: (header.offset, header.uid))
        try:
            found.append(_Found(group[0], image_of(series, group)))
        except (SlideError, ProtocolError) as error:
            _refuse(sorting, group[0].uid, group[0].flavor, error)
            for header in group[1:]:
                sorting.leave(header, f"is of one image with {group[0].uid}")
    found.sort(key=lambda each: (-each.first.area, -len(each.image.frames), each.first.rank))
    return found


# Images to a pyramid


def _one_family(sorting: _Sorting, volumes: list[_Found]) -> list[_Found]:
    """Keep the pyramid with the most pixels; leave others in the series out."""
    family = volumes[0].first.family
    names = ("FrameOfReferenceUID", "ContainerIdentifier", "PyramidUID")
    for each in volumes:
        differing = [
            name
            for name, own, chosen in zip(names, each.first.family, family, strict=True)
            if own != chosen
        ]
        if differing:
            _leave(sorting, each, f"is of another pyramid: {' and '.join(differing)} differ")
    return [each for each in volumes if each.first.family == family]


def _with_channels(volumes: list[_Found]) -> list[_Found]:
    """Put images together that are channels of each other."""
    groups: list[list[_Found]] = []
    for each in volumes:
        for group in groups:
            if all(are_channels(own.image, each.image) for own in group):
                group.append(each)
                break
        else:
            groups.append([each])
    return [_Found(group[0].first, joined([each.image for each in group])) for group in groups]


def _levels(sorting: _Sorting, volumes: list[_Found]) -> tuple[Level, ...]:
    """Make levels of the images that fit the finest one."""
    base = volumes[0].image
    levels: list[Level] = []
    for each in volumes:
        reason = _misfit(base, each.image, levels)
        if reason:
            _leave(sorting, each, reason)
        else:
            levels.append(Level.of(each.image, len(levels), base))
    return tuple(levels)


def _misfit(base: TiledImage, image: TiledImage, levels: list[Level]) -> str:
    """Say why an image is no level of the pyramid; empty if it is one."""
    for level in levels:
        if level.size == image.size:
            return _doubled(level, image)
    if (image.samples, image.dtype) != (base.samples, base.dtype):
        return (
            f"has {image.samples} samples of {image.dtype} a pixel, the finest level "
            f"{base.samples} of {base.dtype}"
        )
    if len(image.channels) != len(base.channels):
        return f"has {len(image.channels)} optical paths, the finest level {len(base.channels)}"
    across, down = (whole / part for whole, part in zip(base.size, image.size, strict=True))
    rounding = sum(1 / part for part in image.size)
    if abs(across / down - 1) > _SKEW + rounding:
        return f"has other proportions ({image.size}) than the finest level ({base.size})"
    return ""


def _doubled(level: Level, image: TiledImage) -> str:
    """Say why an image as large as a level is none; loudly, if it is another focal plane."""
    if level.geometry and image.geometry and level.geometry.origin[2] != image.geometry.origin[2]:
        warnings.warn(
            f"Instance {image.instance_uids[0]} is left out: it is another focal plane of "
            f"{level.instance_uids[0]}, and planes are read from one instance only.",
            stacklevel=2,
        )
        return f"is another focal plane of level {level.index} ({level.instance_uids[0]})"
    return f"is as large as level {level.index} ({level.instance_uids[0]})"


def _leave(sorting: _Sorting, found: _Found, reason: str) -> None:
    sorting.left_out.extend(LeftOut(uid, reason) for uid in found.image.instance_uids)


def _largest(sorting: _Sorting, images: list[_Found]) -> TiledImage | None:
    """Return the largest of several labels or overviews."""
    for each in images[1:]:
        _leave(sorting, each, f"is another {each.first.flavor} beside {images[0].first.uid}")
    return images[0].image if images else None
