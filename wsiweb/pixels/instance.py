"""One instance's header, read and checked.

Three kinds of trouble are told apart. What cannot be true (a tile of no size, more frames than
tiles) is a `SlideError`. What is true but beyond this library (32 bits, a palette, another kind
of object) is `Unsupported`: such an instance can be left out, with that reason. And what cannot
be read, but is not needed for pixels (spacing, place on the slide, magnification), is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wsiweb.errors import SlideError
from wsiweb.pixels.geometry import Geometry
from wsiweb.pixels.image import MOST_PIXELS, Flavor, PixelFormat
from wsiweb.pixels.optional import if_readable
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.uris import is_uid

__all__ = ["Header", "Unsupported", "flavor_of", "identity_of", "read_header"]

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"  # its 32 and 64 bits are floats, the rest whole
_FLAVORS: dict[str, Flavor] = {
    "VOLUME": "VOLUME",
    "LABEL": "LABEL",
    "OVERVIEW": "OVERVIEW",
    "THUMBNAIL": "THUMBNAIL",
    "LOCALIZER": "OVERVIEW",  # what Supplement 145 called it at first
}
_MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOUR = frozenset(
    {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422"}
    | {"XYB"}  # of JPEG XL; undone by its codec
)
_LARGEST_SIDE = 2**32
_NOTHING = Attributes.of({})


class Unsupported(Exception):
    """A header that may well be right, but not for this library; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What matters of one instance, each number checked by itself.

    Attributes
    ----------
    uid : str
        SOPInstanceUID.
    flavor : str
        VOLUME, LABEL, OVERVIEW or THUMBNAIL.
    size : tuple of int
        Width and height of the total pixel matrix.
    grid : tuple of int
        Number of tiles across and down.
    format : PixelFormat
        How a frame's pixels are stored.
    frames : int
        NumberOfFrames of this instance.
    channels : tuple of str
        Optical path identifiers; numbers of segments, where each has frames of its own.
    planes : int or None
        TotalPixelMatrixFocalPlanes, if stated.
    mpp : tuple of float or None
        Micrometres per pixel (x, y).
    geometry : Geometry or None
        Where it lies on the slide.
    power : float or None
        ObjectiveLensPower of the first optical path.
    family : tuple of str
        FrameOfReferenceUID, ContainerIdentifier and PyramidUID: equal in one pyramid.
    concatenation : str
        ConcatenationUID; empty for an instance that is whole.
    whole : str
        SOPInstanceUIDOfConcatenationSource; empty for an instance that is whole.
    offset : int
        ConcatenationFrameOffsetNumber: frames in the parts before.
    rank : tuple
        What is preferred among equals: original pixels, then the lowest number.
    attributes : Attributes
        All the rest.
    """

    uid: str
    flavor: Flavor
    size: tuple[int, int]
    grid: tuple[int, int]
    format: PixelFormat
    frames: int
    channels: tuple[str, ...]
    planes: int | None
    mpp: tuple[float, float] | None
    geometry: Geometry | None
    power: float | None
    family: tuple[str, str, str]
    concatenation: str
    whole: str
    offset: int
    rank: tuple[bool, int, str]
    attributes: Attributes

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.size[0] * self.size[1]


def identity_of(attributes: Attributes) -> tuple[str, str, str]:
    """Return StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID.

    Raises
    ------
    SlideError
        If one is missing, or is no UID.
    """
    uid = attributes.text("SOPInstanceUID").strip()
    uids: list[str] = []
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        value = attributes.text(keyword).strip()
        if not is_uid(value):
            words = f"is {value[:80]!r}, which is no UID" if value else "is missing"
            raise SlideError(f"{_of(uid if is_uid(uid) else '')}: {keyword} {words}.")
        uids.append(value)
    return uids[0], uids[1], uids[2]


def flavor_of(attributes: Attributes) -> Flavor:
    """Return what an instance shows.

    Raises
    ------
    Unsupported
        If it is not a whole-slide image, or its ImageType does not say what it shows.
    """
    sop_class = attributes.text("SOPClassUID").strip()
    modality = attributes.text("Modality").strip()
    if sop_class != _WHOLE_SLIDE and (sop_class or modality not in {"", "SM"}):
        raise Unsupported(
            f"is not a whole-slide image: Modality {modality or 'unknown'}, SOPClassUID "
            f"{sop_class or 'unknown'}"
        )
    values = [value.strip().upper() for value in attributes.texts("ImageType")]
    # The third value should tell; odd writers leave out or exchange some.
    for value in (*values[2:], *values[:2]):
        if value in _FLAVORS:
            return _FLAVORS[value]
    raise Unsupported(
        f"has ImageType {'/'.join(values) or 'missing'}, which says not what it shows"
    )


def read_header(attributes: Attributes, flavor: Flavor) -> Header:
    """Read what matters of a header.

    Raises
    ------
    Unsupported
        For what this library cannot read.
    SlideError
        For what cannot be true; names attribute and instance.
    ProtocolError
        For values of the wrong kind; names the attribute.
    """
    uid = identity_of(attributes)[2]
    read = _Reader(attributes, uid)
    rows, columns = read.count("Rows"), read.count("Columns")
    frames = read.count("NumberOfFrames", 1)
    # A single frame of a label is as large as its matrix, whether it says so or not.
    alone = flavor != "VOLUME" and frames == 1
    width = read.count("TotalPixelMatrixColumns", columns if alone else None)
    height = read.count("TotalPixelMatrixRows", rows if alone else None)
    if max(width, height) >= _LARGEST_SIDE:
        raise read.wrong(
            "TotalPixelMatrixColumns", f"is {width} (and -Rows {height}), which is too much"
        )
    channels, planes = _channels(read), read.optional_count("TotalPixelMatrixFocalPlanes")
    image_type = [value.strip().upper() for value in attributes.texts("ImageType")]
    number = if_readable(attributes.integer, "InstanceNumber", None)
    spacing = _spacing(attributes, (width, height))
    return Header(
        uid=uid,
        flavor=flavor,
        size=(width, height),
        grid=(-(-width // columns), -(-height // rows)),
        format=_format(read, rows, columns),
        frames=frames,
        channels=channels,
        planes=planes,
        mpp=None if spacing is None else (spacing[0] * 1000, spacing[1] * 1000),
        geometry=_geometry(attributes, spacing),
        power=_power(attributes),
        family=(
            attributes.text("FrameOfReferenceUID").strip(),
            attributes.text("ContainerIdentifier").strip(),
            attributes.text("PyramidUID").strip(),
        ),
        concatenation=attributes.text("ConcatenationUID").strip(),
        whole=if_readable(attributes.text, "SOPInstanceUIDOfConcatenationSource", "").strip(),
        offset=read.number_from_zero("ConcatenationFrameOffsetNumber"),
        rank=("DERIVED" in image_type, 2**62 if number is None else number, uid),
        attributes=attributes,
    )


def _of(uid: str) -> str:
    return f"Instance {uid or 'without SOPInstanceUID'}"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whole numbers of one header; errors name attribute and instance."""

    attributes: Attributes
    uid: str

    def wrong(self, keyword: str, words: object) -> SlideError:
        return SlideError(f"{_of(self.uid)}: {keyword} {words}.")

    def optional_count(self, keyword: str) -> int | None:
        value = self.attributes.integer(keyword)
        if value is not None and value < 1:
            raise self.wrong(keyword, f"is {value}, and must be positive")
        return value

    def count(self, keyword: str, default: int | None = None) -> int:
        value = self.optional_count(keyword)
        value = default if value is None else value
        if value is None:
            raise self.wrong(keyword, "is missing")
        return value

    def number_from_zero(self, keyword: str) -> int:
        value = self.attributes.integer(keyword) or 0
        if value < 0:
            raise self.wrong(keyword, f"is {value}, and cannot be negative")
        return value


def _channels(read: _Reader) -> tuple[str, ...]:
    kind = _segmentation_type(read.attributes)
    if kind and kind != "LABELMAP":
        return _segments(read)
    items = read.attributes.items("OpticalPathSequence")
    count = read.count("NumberOfOpticalPaths", len(items) or 1)
    if count > 2**16:
        raise read.wrong("NumberOfOpticalPaths", f"is {count}, which is too much")
    names = [item.text("OpticalPathIdentifier").strip() for item in items[:count]]
    names += [""] * (count - len(names))
    return tuple(name or str(place) for place, name in enumerate(names, start=1))


def _segmentation_type(attributes: Attributes) -> str:
    """Return BINARY, FRACTIONAL or LABELMAP; empty for what is no segmentation."""
    return attributes.text("SegmentationType").strip().upper()


def _segments(read: _Reader) -> tuple[str, ...]:
    numbers = [item.integer("SegmentNumber") for item in read.attributes.items("SegmentSequence")]
    if not numbers:
        raise read.wrong("SegmentSequence", "is missing")
    if len(numbers) > 2**16 or None in numbers or len(set(numbers)) < len(numbers):
        raise read.wrong("SegmentSequence", "has segments without a SegmentNumber of their own")
    return tuple(str(number) for number in numbers)


def _format(read: _Reader, rows: int, columns: int) -> PixelFormat:
    """Return the pixel format, or say what cannot be, or what cannot be read."""
    photometric = read.attributes.text("PhotometricInterpretation").strip().upper()
    if photometric == "PALETTE COLOR" and _segmentation_type(read.attributes) == "LABELMAP":
        photometric = "MONOCHROME2"  # the labels are what is read; the palette only paints them
    if not photometric:
        raise read.wrong("PhotometricInterpretation", "is missing")
    known = _MONOCHROME | _COLOUR
    if photometric not in known:
        raise Unsupported(f"has PhotometricInterpretation {photometric[:40]}")
    samples = read.count("SamplesPerPixel", 1 if photometric in _MONOCHROME else 3)
    if samples != (1 if photometric in _MONOCHROME else 3):
        raise read.wrong("SamplesPerPixel", f"is {samples} in a {photometric} image")
    allocated = read.count("BitsAllocated")
    stored = read.count("BitsStored", allocated)
    if stored > allocated:
        raise read.wrong("BitsStored", f"is {stored} of {allocated} bits")
    if max(rows, columns) >= 2**16:
        raise read.wrong("Rows", f"is {rows} (and Columns {columns}), which is too much")
    if read.attributes.integer("HighBit") not in {None, stored - 1}:
        raise Unsupported(f"has HighBit {read.attributes.integer('HighBit')} of {stored} bits")
    sop_class = read.attributes.text("SOPClassUID").strip()
    representation = read.number_from_zero("PixelRepresentation")
    if representation > 1:
        raise read.wrong("PixelRepresentation", f"is {representation}, not 0 or 1")
    try:
        form = PixelFormat(
            rows,
            columns,
            samples=samples,
            bits_allocated=allocated,
            bits_stored=stored,
            signed=representation == 1,
            photometric=photometric,
            planar=read.number_from_zero("PlanarConfiguration"),
            floating=allocated >= 32 and sop_class == _PARAMETRIC_MAP,
        )
    except ValueError as error:
        raise Unsupported(f"cannot be read: {error}") from None
    if rows * columns > MOST_PIXELS:
        raise Unsupported(f"has frames of {columns} x {rows} pixels: more than {MOST_PIXELS}")
    return form


def _spacing(attributes: Attributes, size: tuple[int, int]) -> tuple[float, float] | None:
    """Return mm per pixel (x, y); None where not stated, or where what is stated cannot be.

    Pixels can be read without it, so a slide is not refused for it.
    """
    shared = if_readable(attributes.item, "SharedFunctionalGroupsSequence", _NOTHING)
    measures = if_readable(shared.item, "PixelMeasuresSequence", _NOTHING)
    spacing = if_readable(measures.numbers, "PixelSpacing", ())
    if len(spacing) == 2 and _is_length(*spacing):
        return spacing[1], spacing[0]  # DICOM has the distance between rows first
    width, height = (
        if_readable(attributes.number, f"ImagedVolume{edge}", None) for edge in ("Width", "Height")
    )
    if width is None or height is None:
        return None
    spacing = (width / size[0], height / size[1])
    return spacing if _is_length(*spacing) else None


def _power(attributes: Attributes) -> float | None:
    path = attributes.item("OpticalPathSequence")
    power = if_readable(path.number, "ObjectiveLensPower", None)
    return power if power is not None and power > 0 else None


def _is_length(*values: float) -> bool:
    """Whether values are lengths in mm that a pixel of a slide can have."""
    return all(math.isfinite(value) and 1e-9 < value < 1e3 for value in values)


def _geometry(attributes: Attributes, spacing: tuple[float, float] | None) -> Geometry | None:
    directions = if_readable(attributes.numbers, "ImageOrientationSlide", ())
    item = if_readable(attributes.item, "TotalPixelMatrixOriginSequence", _NOTHING)
    x, y, z = (
        if_readable(item.number, f"{axis}OffsetInSlideCoordinateSystem", None) for axis in "XYZ"
    )
    if spacing is None or len(directions) != 6 or x is None or y is None:
        return None
    try:
        return Geometry(
            origin=(x, y, z or 0.0),
            row_direction=(directions[0], directions[1], directions[2]),
            column_direction=(directions[3], directions[4], directions[5]),
            spacing=spacing,
        )
    except ValueError:
        return None
