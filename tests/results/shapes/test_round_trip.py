"""Shapes of any kind about any level of any slide come back; highdicom judges."""

from __future__ import annotations

import highdicom
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from results.about import objects_in
from results.slides import place_on, slides

from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes

TOLERANCE = {"2d": 1e-3, "3d": 1e-6}  # pixels, mm
LENGTHS = {"point": (1, 1), "polyline": (2, 6), "polygon": (3, 6)}


@st.composite
def parts(draw, kind, size):
    """The points of one shape, within a matrix."""
    if kind in LENGTHS:
        least, most = LENGTHS[kind]
        point = st.tuples(*(st.floats(0, edge) for edge in size))
        points = draw(st.lists(point, min_size=least, max_size=most, unique=True))
        return np.array(points)
    # Turned by any angle, in the middle, so that no corner is outside.
    reach = min(size) / 2
    angle, share = draw(st.floats(0, 7)), draw(st.floats(0.1, 0.6))
    along = np.array([np.cos(angle), np.sin(angle)]) * reach * 0.7
    across = np.array([-np.sin(angle), np.cos(angle)]) * reach * share
    if kind == "ellipse":
        turned = [-along, along, -across, across]
    else:
        turned = [-along - across, along - across, along + across, -along + across]
    return np.array(turned) + np.array(size) / 2


@settings(max_examples=30)
@given(
    source=slides(4000),
    kind=st.sampled_from(["point", "polyline", "polygon", "ellipse", "rectangle"]),
    coordinates=st.sampled_from(["2d", "3d"]),
    given_in=st.sampled_from(["pixels", "centres", "millimetres"]),
    dtype=st.sampled_from(["f4", "f8"]),
    data=st.data(),
)
def test_shapes_come_back_in_their_place(
    tmp_path_factory, source, kind, coordinates, given_in, dtype, data
):
    across, down = source.pyramid.levels[0].geometry.spacing
    # Right angles of pixels that are not square are none in millimetres.
    assume(across == down or kind in LENGTHS or given_in != "millimetres")
    level = data.draw(st.sampled_from(source.pyramid.levels))
    drawn = data.draw(st.lists(parts(kind, level.size), min_size=1, max_size=5))
    lengths = [len(part) for part in drawn]
    # Half a pixel in binary is exact, whatever is added.
    points = np.concatenate(drawn).astype(dtype).astype(np.float64)
    # By highdicom, whose pixels count from the corner as well.
    millimetres = place_on(source.dataset(0))(points * level.downsample)
    told = {
        "pixels": points.astype(dtype),
        "centres": points - 0.5,
        "millimetres": millimetres,
    }[given_in]
    scores = np.array(data.draw(st.lists(st.floats(-1e6, 1e6, width=32), min_size=5, max_size=5)))
    scores = scores[: len(drawn)]
    classes = data.draw(st.lists(st.sampled_from("ab"), min_size=5, max_size=5))[: len(drawn)]
    shapes = Shapes.of(
        kind,
        told,
        np.cumsum([0, *lengths[:-1]]),
        origin="center" if given_in == "centres" else "corner",
        classes=classes,
        measurements={"score": scores},
    )
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    (made,) = add_annotations(source, objects, shapes, level=level.index, coordinates=coordinates)
    read = highdicom.ann.annread(made.path)
    assert sorted(group.label for group in read.get_annotation_groups()) == sorted(set(classes))
    ends = np.cumsum(lengths)
    wanted = points if coordinates == "2d" else millimetres
    expected = np.split(wanted, ends[:-1])
    for group in read.get_annotation_groups():
        rows = [row for row, name in enumerate(classes) if name == group.label]
        assert group.graphic_type.value == kind.upper()
        found = group.get_graphic_data(coordinates.upper())
        assert len(found) == len(rows)
        for row, part in zip(rows, found, strict=True):
            assert part.shape == expected[row].shape
            assert np.abs(part - expected[row]).max() <= TOLERANCE[coordinates]
        (name,), values, _ = group.get_measurements()
        assert name.meaning == "score"
        np.testing.assert_array_equal(values[:, 0], scores[rows])
    if coordinates == "2d":
        reference = read.ReferencedImageSequence[0].ReferencedSOPInstanceUID
        assert reference == level.instance_uids[0]
