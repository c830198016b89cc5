"""Shapes as DICOM Microscopy Bulk Simple Annotations (PS3.3 A.87, C.37).

highdicom says all that such an object says beside its annotations; the annotations themselves are
put in as they are, so that a million of them take no more memory than they have already.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from wsiweb.arguments import choice, whole_number
from wsiweb.results.shapes.bulk import write_object
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.groups import Group
from wsiweb.results.shapes.holed import Holed, HoledMask, parted
from wsiweb.results.shapes.outlines import self_crossing
from wsiweb.results.shapes.placing import Coordinates, Placing
from wsiweb.results.texts import check_prose, check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

    from wsiweb.results.codes import Term
    from wsiweb.results.identity import Identity
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.shapes.bulk import Bulk
    from wsiweb.results.shapes.coding import Quantity, Terms
    from wsiweb.results.shapes.shapes import Multi, Shapes
    from wsiweb.results.source import Source

__all__ = ["Crossing", "HolesChoice", "add_annotations"]

HolesChoice = Literal["refuse", "drop", "segmentation"]
Crossing = Literal["keep", "refuse"]

_LONGEST = 64  # characters of a label, VR LO
_LONGEST_TEXT = 1024  # characters of a description: what a segment can have, too


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
) -> tuple[ResultObject, ...]:
    """Write shapes as one annotation object, with a group for each class and kind.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written.
    shapes : Shapes, or what `shapes_of` makes shapes of
        Pixel coordinates are those of `level`, and count from the corner of its top left pixel;
        three columns are slide millimetres. The slide ends where the level does that reaches
        farthest: its last pixels may reach beyond level 0. For arrays, and to say more of shapes,
        give what `shapes_of` returns.
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
        a reference to that level's instance; the slide need not say where on the glass it lies.
        ``"3d"``: millimetres of the slide. Stored as float32, unless that would move a point by
        more than 1e-3 pixels or 1e-6 mm: then as float64.
    multi : {"refuse", "split"}
        What becomes of geometries of several parts; see `shapes_of`.
    holes : {"refuse", "drop", "segmentation"}
        What becomes of holes, which annotations cannot have. ``"drop"`` leaves them out, with a
        warning. ``"segmentation"`` makes a mask of the polygons that have holes, in the pixels of
        `level`, and annotations of the rest: a binary segmentation with a segment for each class,
        whose name, type, category and colour are those that its group would have, and with its
        pyramid. (Two segments cannot have one name: where `label` is that of a class, those without
        a class are in its segment.) A pixel belongs to it when its centre is inside, by the
        even-odd rule. Warnings tell which polygons are so small that they have no pixel, and which
        measurements are lost, as a mask has none.
    crossing : {"keep", "refuse"}
        What becomes of polygons that cross or touch themselves. Corners in a plane, of which the
        first is not repeated: that is what readers ask of a polygon (PS3.3 C.37.1.2), and of those
        in reports it is said that they need not be simple (PS3.3 C.18.6.1.2). Programs that find
        contours make such polygons all the time, and any repair would change what was measured on
        them. So they are kept, corner for corner and in their direction; what is inside them is
        said by the even-odd rule. ``"refuse"`` looks for them, which takes seconds for a million
        polygons, and wants shapely.

    Returns
    -------
    tuple of ResultObject
        The annotations; then, for ``holes="segmentation"``, the mask, an object for each level, in
        a series of its own. Where all shapes have holes, there is only the mask; where none of
        those has a pixel, there is no mask.

    Raises
    ------
    ValueError
        For no shapes, coordinates that are not finite or outside the slide, holes, texts that DICOM
        cannot hold, terms in no dictionary, or measurements that float32 cannot hold. Nothing is
        left then, nor after any other failure: annotations and mask are kept together.
    IndexError
        For a level that the slide does not have.
    FileNotFoundError
        For a path to nothing.
    SlideError
        For headers that cannot be read, or say too little of what is wanted.
    """
    choice(coordinates, "coordinates", get_args(Coordinates))
    choice(holes, "holes", get_args(HolesChoice))
    choice(crossing, "crossing", get_args(Crossing))
    check_text("the label of annotations", label, _LONGEST, least=0)
    check_prose("the description of annotations", description, _LONGEST_TEXT)
    codes = _as_codes(measurements)
    level = whole_number(level, "level")
    given = shapes_of(shapes, multi=multi)
    if not given:
        raise ValueError("There are no shapes: nothing is written for nothing.")
    _check_unused(codes, given)
    if crossing == "refuse":
        _refuse_crossing(given)
    given, holed = _sorted_out(given, holes)
    groups = [
        Group.of(
            one,
            rows,
            name=name,
            label=name or label or one.kind,
            placing=Placing.on(source.pyramid, level, one.dimensions, coordinates),
            terms=(type, category),
            quantities=codes,
        )
        for one in given
        for name, rows in one.by_class()
    ]
    mask = None
    if holed:
        mask = HoledMask.of(
            holed,
            source.pyramid,
            level,
            label=label,
            description=description,
            terms=(type, category),
        )
    with objects.together() as joint:
        levels = () if mask is None else mask.write(source, joint, alone=not groups)
        if not groups:
            return levels
        with joint.drafts("annotations") as drafts:
            (draft,) = drafts
            seed = _seed(draft.identity, groups, deterministic=objects.maker.deterministic)
            header, bulks = _header(
                source,
                draft.identity,
                groups,
                level=level,
                coordinates=coordinates,
                description=description,
                seed=seed,
            )
            write_object(draft.path, header, bulks)
    return (*drafts.made, *levels)


def _as_codes(measurements: Any) -> Mapping[str, Any]:
    if measurements is None:
        return {}
    if not isinstance(measurements, Mapping):
        raise ValueError(  # noqa: TRY004 - as above
            "The codes of measurements are given by their names, {name: (name, unit)}, and their "
            f"values with the shapes; {measurements!r} was given."
        )
    return measurements


def _sorted_out(
    given: Sequence[Shapes], choice: HolesChoice
) -> tuple[Sequence[Shapes], Sequence[Holed]]:
    """Return what becomes annotations, and what a mask."""
    if choice == "segmentation":
        parts = [parted(one) for one in given]
        return (
            [one for one, _ in parts if one is not None],
            [one for _, one in parts if one is not None],
        )
    return [_without_holes(one, choice) for one in given], []


def _without_holes(shapes: Shapes, choice: HolesChoice) -> Shapes:
    if shapes.holes is None:
        return shapes
    owners = np.unique(shapes.holes.owner)
    said = (
        f"{len(owners)} of {len(shapes)} polygons have holes ({len(shapes.holes)} in all), the "
        f"first of them number {owners[0]} (counted from 0), and DICOM annotations have none"
    )
    if choice == "refuse":
        raise ValueError(
            f'{said}. Leave the holes out with holes="drop", or make a mask of those polygons with '
            'holes="segmentation".'
        )
    warnings.warn(f"{said}: they are left out.", stacklevel=5)
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
    source: Source,
    identity: Identity,
    groups: list[Group],
    *,
    level: int,
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
        source_images=_images(source, level, coordinates),
        annotation_coordinate_type=coordinates.upper(),
        annotation_groups=[group for group, _ in described],
        **identity.keywords(),
    )
    path = source.path_identifier(level)
    for group, _ in described:
        group.AnnotationAppliesToAllOpticalPaths = "YES" if path is None else "NO"
        if path is not None:
            group.ReferencedOpticalPathIdentifier = path
    identity.sign(header)
    return header, [bulk for _, bulks in described for bulk in bulks]


def _images(source: Source, level: int, coordinates: Coordinates) -> list[Dataset]:
    """Return what annotations refer to: pixels are those of one image, millimetres of the slide."""
    if coordinates == "3d":
        return list(source.datasets(level))
    image = source.dataset(level, placed=False)
    if "FrameOfReferenceUID" not in image:  # highdicom looks at it, and does not write it for 2D
        image = copy.deepcopy(image)
        image.FrameOfReferenceUID = None
    return [image]
