"""Shapes as DICOM Microscopy Bulk Simple Annotations (PS3.3 A.87, C.37).

highdicom says all that such an object says beside its annotations; the annotations themselves are
put in as they are, so that a million of them take no more memory than they have already.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wsiweb.results.shapes.bulk import write_object
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.groups import Group
from wsiweb.results.shapes.outlines import self_crossing
from wsiweb.results.shapes.placing import Placing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydicom.dataset import Dataset

    from wsiweb.results.codes import Term
    from wsiweb.results.identity import Identity
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.shapes.bulk import Bulk
    from wsiweb.results.shapes.coding import Quantity, Terms
    from wsiweb.results.shapes.placing import Coordinates
    from wsiweb.results.shapes.shapes import Multi, Shapes
    from wsiweb.results.source import Source

__all__ = ["Crossing", "HolesChoice", "add_annotations"]

HolesChoice = Literal["refuse", "drop", "segmentation"]
Crossing = Literal["keep", "refuse"]

_LONGEST = 64  # characters of a label, VR LO
_AS_MASK = (
    "store them as a segmentation instead: add_mask(rasterise(shapes, plane), ...) with "
    "wsiweb.results.shapes.outlines.rasterise"
)


def add_annotations(  # noqa: PLR0913 - what annotations say; all but three have a default
    source: Source,
    objects: Objects,
    shapes: Any,
    *,
    label: str = "",
    description: str = "",
    type: Terms = None,  # noqa: A002 - what DICOM calls it, as for segments
    category: Terms = None,
    measurements: Mapping[str, Quantity | tuple[Term, Term]] | None = None,
    level: int = 0,
    coordinates: Coordinates = "2d",
    multi: Multi = "refuse",
    holes: HolesChoice = "refuse",
    crossing: Crossing = "keep",
) -> tuple[ResultObject]:
    """Write shapes as one annotation object, with a group for each class and kind.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written.
    shapes : Shapes, or what `shapes_of` makes shapes of
        Pixel coordinates are those of `level`, and count from the corner of its top left pixel;
        three columns are slide millimetres. For arrays, and to say more of shapes, give what
        `shapes_of` returns.
    label : str
        Name of groups whose shapes have no class; by default their kind. The others have the name
        of their class. Up to 64 characters.
    description : str
        Of all groups, in words.
    type, category : Term, or mapping of class to Term, optional
        What the shapes are, a code of CID 8135 or any other, and what kind of thing that is, of CID
        7150. By default the name of the class is looked up, and is tissue if it is not found; and
        the category follows from the type.
    measurements : mapping of str to (name, unit), optional
        Codes of the shapes' measurements by their name; others have private codes that follow from
        their names, and the unit that the name ends with. They are stored as float32.
    level : int
        Zero-based level of the slide that was looked at.
    coordinates : {"2d", "3d"}
        ``"2d"``: pixels of the level's total pixel matrix (PixelOriginInterpretation VOLUME), with
        a reference to that level's instance. ``"3d"``: millimetres of the slide. Stored as float32,
        unless that would move a point by more than 1e-3 pixels or 1e-6 mm: then as float64.
    multi : {"refuse", "split"}
        What becomes of geometries of several parts; see `shapes_of`.
    holes : {"refuse", "drop", "segmentation"}
        What becomes of holes, which annotations cannot have. ``"drop"`` leaves them out, with a
        warning; with ``"segmentation"`` the error says how to store them as a mask.
    crossing : {"keep", "refuse"}
        What becomes of polygons that cross or touch themselves. PS3.3 C.37.1.2 asks of a polygon
        that its corners lie in a plane and that the first is not repeated, and no more; programs
        that find contours make such polygons all the time, and any repair would change what was
        measured on them. So they are kept, corner for corner; what is inside them is said by the
        even-odd rule (`rasterise`). ``"refuse"`` looks for them, which takes seconds for a million
        polygons, and wants shapely.

    Returns
    -------
    tuple of ResultObject
        The one that was written.

    Raises
    ------
    ValueError
        For no shapes, coordinates that are not finite or outside the slide, holes, texts that DICOM
        cannot hold, terms in no dictionary, or measurements that float32 cannot hold. Nothing is
        written then.
    IndexError
        For a level that the slide does not have.
    """
    given = shapes_of(shapes, multi=multi)
    if not given:
        raise ValueError("There are no shapes: nothing is written for nothing.")
    _check_choices(coordinates, holes, crossing)
    _check_text("label", label, _LONGEST)
    _check_text("description", description, 1024)
    given = tuple(_without_holes(one, holes) for one in given)
    if crossing == "refuse":
        _refuse_crossing(given)
    groups = [
        Group.of(
            one,
            rows,
            name=name,
            label=name or label or one.kind,
            placing=Placing.on(source.pyramid, level, one.dimensions, coordinates),
            terms=(type, category),
            quantities=measurements or {},
        )
        for one in given
        for name, rows in _by_class(one)
    ]
    _check_unused(measurements or {}, given)
    dataset = source.dataset(level)
    with objects.drafts("annotations") as (draft,):
        seed = _seed(draft.identity, groups, deterministic=objects.maker.deterministic)
        header, bulks = _header(dataset, draft.identity, groups, coordinates, description, seed)
        write_object(draft.path, header, bulks)
    return (objects.made[-1],)


def _check_choices(coordinates: str, holes: str, crossing: str) -> None:
    for name, value, choices in (
        ("coordinates", coordinates, ("2d", "3d")),
        ("holes", holes, ("refuse", "drop", "segmentation")),
        ("crossing", crossing, ("keep", "refuse")),
    ):
        if value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}.")


def _check_text(what: str, text: str, longest: int) -> None:
    if len(text) > longest or (longest == _LONGEST and "\\" in text):
        raise ValueError(
            f"The {what} of annotations has up to {longest} characters and no backslash; "
            f"{text[:80]!r} has {len(text)}."
        )


def _without_holes(shapes: Shapes, choice: HolesChoice) -> Shapes:
    from dataclasses import replace

    if shapes.holes is None:
        return shapes
    owners = np.unique(shapes.holes.owner)
    said = (
        f"{len(owners)} of {len(shapes)} polygons have holes ({len(shapes.holes)} in all), the "
        f"first of them number {owners[0]} (counted from 0), and DICOM annotations have none"
    )
    if choice == "segmentation":
        raise ValueError(f"{said}: {_AS_MASK}.")
    if choice == "refuse":
        raise ValueError(f'{said}. Leave the holes out with holes="drop", or {_AS_MASK}.')
    warnings.warn(f"{said}: they are left out.", stacklevel=4)
    return replace(shapes, holes=None)


def _refuse_crossing(given: Iterable[Shapes]) -> None:
    for shapes in given:
        found = self_crossing(shapes)
        if len(found):
            raise ValueError(
                f"{len(found)} of {len(shapes)} polygons cross or touch themselves, the first of "
                f"them number {found[0]} (counted from 0). shapely.make_valid mends them; "
                'crossing="keep" stores them as they are.'
            )


def _by_class(shapes: Shapes) -> Iterator[tuple[str, Any]]:
    for number, name in enumerate(shapes.classes):
        rows = shapes.of_class(number)
        if rows is None or len(rows):
            yield name, rows


def _check_unused(measurements: Mapping[str, Any], given: Iterable[Shapes]) -> None:
    known = {name for shapes in given for name in shapes.measurements}
    missing = [name for name in measurements if name not in known]
    if missing:
        raise ValueError(
            f"Codes are given for the measurement {missing[0]!r}, which the shapes do not have; "
            f"they have {', '.join(map(repr, sorted(known))) or 'none'}."
        )


def _seed(identity: Identity, groups: list[Group], *, deterministic: bool) -> tuple[str, ...]:
    """Return what the UIDs of groups follow from."""
    if not deterministic:
        return (identity.instance_uid,)
    return (identity.series_uid, *(group.digest() for group in groups))


def _header(
    source: Dataset,
    identity: Identity,
    groups: list[Group],
    coordinates: Coordinates,
    description: str,
    seed: tuple[str, ...],
) -> tuple[Dataset, list[Bulk]]:
    from highdicom.ann import MicroscopyBulkSimpleAnnotations

    described = [
        group.describe(number, seed, description, identity.algorithm)
        for number, group in enumerate(groups, 1)
    ]
    header = MicroscopyBulkSimpleAnnotations(
        source_images=[source],
        annotation_coordinate_type=coordinates.upper(),
        annotation_groups=[group for group, _ in described],
        **identity.keywords(),
    )
    _refer_to_whole(header, source)
    identity.sign(header)
    return header, [bulk for _, bulks in described for bulk in bulks]


def _refer_to_whole(header: Dataset, source: Dataset) -> None:
    """Refer to the source of a concatenation, and not to one of its parts (PS3.3 C.37.1.2)."""
    whole = source.get("SOPInstanceUIDOfConcatenationSource")
    if whole:
        header.ReferencedImageSequence[0].ReferencedSOPInstanceUID = whole
        series = header.ReferencedSeriesSequence[0]
        series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = whole
