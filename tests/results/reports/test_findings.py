from __future__ import annotations

import numpy as np
import pytest
import shapely

from wsiweb.results.reports.findings import Region, region_of

SQUARE = [[1, 2], [11, 2], [11, 12], [1, 12]]


def test_points_polygons_and_lines_in_all_their_forms():
    cases = [
        ((3, 4), "point", [[3, 4]]),
        (np.array([[3, 4]]), "point", [[3, 4]]),
        (shapely.Point(3, 4), "point", [[3, 4]]),
        (shapely.Point(3, 4, 5), "point", [[3, 4]]),
        (SQUARE, "polygon", SQUARE),
        ([*SQUARE, SQUARE[0]], "polygon", SQUARE),
        (shapely.Polygon(SQUARE), "polygon", SQUARE),
        (shapely.LinearRing(SQUARE), "polygon", SQUARE),
        (shapely.LineString(SQUARE), "polyline", SQUARE),
        (Region("polyline", np.array(SQUARE)), "polyline", SQUARE),
        (Region("ellipse", np.array(SQUARE)), "ellipse", SQUARE),
    ]
    for given, kind, points in cases:
        found = region_of(given, "it")
        assert found.kind == kind
        np.testing.assert_array_equal(found.points, points)
    assert region_of(None, "it").kind == "slide"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (shapely.Polygon(SQUARE, [[[2, 3], [4, 3], [4, 5]]]), "1 holes"),
        (shapely.MultiPoint(SQUARE), "MultiPoint"),
        (shapely.Polygon(), "empty"),
        ([[0, 0], [9, 9], [9, 0], [0, 9]], "not simple"),
        ([[0, 0], [9, 9]], "at least 3"),
        ([[0, 0], [np.nan, 9], [3, 4]], "finite"),
        ([[0, 0], [np.inf, 9], [3, 4]], "finite"),
        ([], "(0,)"),
        ([[1, 2, 3, 4]], "(1, 4)"),
        ("POINT (1 2)", "str"),
        ({"type": "Point"}, "dict"),
        (Region("ellipse", np.array(SQUARE[:3])), "4 points"),
        (Region("cube", np.array(SQUARE)), "cube"),
    ],
)
def test_what_is_no_region_is_refused(given, words):
    with pytest.raises(ValueError, match="finding 7") as refused:
        region_of(given, "finding 7")
    assert words in str(refused.value)
