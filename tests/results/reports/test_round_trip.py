"""Any finding about any slide comes back, in its place; highdicom judges both.

Regions of reports are stored as float32 (SCOORD and SCOORD3D, PS3.3 C.18.6.1.2 and C.18.9.1.2), and
there is no other way. So pixels come back to 1e-3 up to 16,384 of them; and a millimetre as finely
as float32 has it: 16 mm from the corner of the glass to 1e-6, at its far end (75 mm) to 4e-6.
"""

from __future__ import annotations

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results.about import ORIENTATIONS, objects_in
from results.masks.sized import sized
from results.slides import place_on, slides
from shapely import Polygon

from wsiweb.results.planes import Plane
from wsiweb.results.reports.findings import Finding, Region
from wsiweb.results.reports.report import add_report

HALF = 2.0**-24  # of a number, by which float32 may be off


@st.composite
def regions(draw):
    """Regions of all kinds, within the share of the slide from 0 to 1."""
    kind = draw(st.sampled_from(["point", "polyline", "polygon", "ellipse"]))
    share = st.floats(0, 1)
    points = st.tuples(share, share)
    if kind == "point":
        return Region(kind, np.array([draw(points)]))
    if kind == "ellipse":
        long, short = draw(st.tuples(st.floats(0.1, 0.5), st.floats(0.05, 0.1)))
        axes = np.array([[-long, 0], [long, 0], [0, -short], [0, short]])
        return Region(kind, axes + 0.5)
    found = np.array(draw(st.lists(points, min_size=3, max_size=7, unique=True)))
    if kind == "polygon" and not Polygon(found).is_valid:
        kind = "polyline"  # a report takes no polygons that cross themselves
    return Region(kind, found)


numbers = st.floats(-1e9, 1e9) | st.integers(-(10**14), 10**14)


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_what_is_read_at_the_edge_can_be_written_again(tmp_path, coordinates):
    """Stored millimetres are float32, and the last pixel of a coarse level may reach beyond."""
    source = sized((101, 99), (1, 8), ORIENTATIONS["usual"])
    place = Plane.at_level(source.pyramid, 0).geometry
    for width, height in ((101, 99), (104, 104)):
        points = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        read = place.to_pixel(place.to_slide(points).astype(np.float32).astype(np.float64))
        objects = objects_in(tmp_path, source)
        finding = Finding(region=Region("polygon", read), type="Tissue")
        assert add_report(source, objects, [finding], coordinates=coordinates)


@settings(max_examples=25)
@given(
    source=slides(3000),
    shares=st.lists(regions(), min_size=1, max_size=4),
    values=st.lists(numbers, min_size=4, max_size=4),
    coordinates=st.sampled_from(["2d", "3d"]),
)
def test_findings_come_back_in_their_place(tmp_path_factory, source, shares, values, coordinates):
    size = np.array(source.pyramid.levels[0].size)
    given_regions = [Region(kind, points * size) for kind, points in shares]
    findings = [
        Finding(
            region=region,
            type="Neoplasm",
            measurements=[("SCT:Area", value, "UCUM:SquareMicrometer")],
            evaluations=[(("371469007", "SCT", "Histologic grade"), "SCT:Neoplasm")],
            label=f"Nº {number}",
        )
        for number, (region, value) in enumerate(zip(given_regions, values, strict=False))
    ]
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    (made,) = add_report(source, objects, findings, coordinates=coordinates)
    groups = highdicom.sr.srread(made.path).content.get_planar_roi_measurement_groups()
    for number, (group, region, value) in enumerate(
        zip(groups, given_regions, values, strict=False)
    ):
        assert group.tracking_identifier == f"Nº {number}"
        (measured,) = group.get_measurements()
        assert measured.value == value
        points = region.points
        if region.kind == "polygon":
            points = np.concatenate([points, points[:1]])
        is_flat = coordinates == "2d"
        flat_kind = {"polygon": "POLYLINE"} if is_flat else {}
        assert group.roi.graphic_type.value == flat_kind.get(region.kind, region.kind.upper())
        wanted = points if is_flat else place_on(source.dataset(0))(points)
        found = group.roi.value
        assert found.shape == wanted.shape
        assert (np.abs(found - wanted) <= np.abs(wanted) * HALF + 1e-9).all()
        if is_flat:
            assert np.abs(found - wanted).max() <= 1e-3
    assert len(groups) == len(findings)
