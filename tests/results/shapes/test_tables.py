from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.results.shapes.shapes import Shapes
from wsiweb.results.shapes.tables import read_table, write_table


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "points.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_points_with_classes_and_measurements(tmp_path):
    shapes = read_table(table(tmp_path, "x,y,class,score\r\n1,2.5,a,0.5\r\n3,4,,\r\n"))
    np.testing.assert_array_equal(shapes.coordinates, [[1, 2.5], [3, 4]])
    assert [shapes.classes[number] for number in shapes.class_of] == ["a", ""]
    np.testing.assert_array_equal(shapes.measurements["score"], [0.5, np.nan])


def test_a_mark_of_byte_order_and_spaces_do_no_harm(tmp_path):
    shapes = read_table(table(tmp_path, "\ufeff y , x\n2,1\n\n"))
    np.testing.assert_array_equal(shapes.coordinates, [[1, 2]])


def test_points_that_count_from_centres_are_moved(tmp_path):
    shapes = read_table(table(tmp_path, "x,y\n1,2\n"), origin="center")
    np.testing.assert_array_equal(shapes.coordinates, [[1.5, 2.5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line of points.csv has the names"),
        ("a,b\n1,2\n", "with x and y among them"),
        ("x,y,x\n1,2,3\n", "each once"),
        ("x,y\n", "has no rows"),
        ("x,y\n1\n", "Line 2 of points.csv has 1 cells; the first has 2"),
        ("x,y\n1,2\n1,two\n", "Line 3 of points.csv has 'two' in the column 'y'"),
        ("x,y\n,2\n", "Line 2 of points.csv has ''"),
    ],
)
def test_what_is_no_table_of_points_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(table(tmp_path, text))


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no table"):
        read_table(table(tmp_path, "x,y,class\n1,2,ä\n", "latin-1"))


def test_shapes_of_all_kinds_are_written(tmp_path):
    polygon = Shapes.of("polygon", [[0, 0], [4, 0], [4, 2]], [0], measurements={"area": [4]})
    point = Shapes.of("point", [[1, 2]], classes="=cmd()", measurements={"score": [np.nan]})
    path = tmp_path / "out.csv"
    assert write_table(path, [polygon, point]) == 2
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["kind"], first["area"] == ("polygon", "4.0")
    assert [float(first[key]) for key in ("x", "y", "right", "bottom")] == [2, 1, 4, 2]
    assert (second["class"], second["score"], second["area"]) == ("'=cmd()", "", "")


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1).filter(
    lambda name: len(name) < 20
)


@given(data=st.data())
def test_what_is_written_is_read(tmp_path_factory, data):
    """Middles, classes and measurements of shapes of all kinds, whatever they are called."""
    names = st.one_of(
        NAMES, st.sampled_from(["=a", "'=a", "''+a", "'a", "-1", "Point", "x", "left", "class"])
    )
    boxes = np.array([[0, 0], [4, 0], [4, 2], [0, 2]])
    given = [
        Shapes.of("rectangle", boxes, classes=data.draw(names)),
        Shapes.of("point", [[1, 2], [3, 4]], classes=[data.draw(names), ""]),
        Shapes.of("polygon", boxes * 3 + 0.25, measurements={data.draw(names): [1.5]}),
    ]
    path = tmp_path_factory.mktemp("table") / "all.csv"
    assert write_table(path, given) == 4
    found = read_table(path)
    np.testing.assert_array_equal(found.coordinates, [[2, 1], [1, 2], [3, 4], [6.25, 3.25]])
    wanted = [one.classes[number] for one in given for number in one.class_of]
    assert [found.classes[number] for number in found.class_of] == wanted
    ((name, values),) = found.measurements.items()
    (said,) = given[2].measurements
    assert name in {said, f"{said} (2)"}
    np.testing.assert_array_equal(values, [np.nan, np.nan, np.nan, 1.5])


def test_columns_of_others_that_have_such_names_are_measurements(tmp_path):
    shapes = read_table(table(tmp_path, "x,y,left,kind\n1,2,3,4\n"))
    assert {name: values.tolist() for name, values in shapes.measurements.items()} == {
        "left": [3],
        "kind": [4],
    }
    with pytest.raises(ValueError, match="has 'nucleus' in the column 'kind'"):
        read_table(table(tmp_path, "x,y,left,kind\n1,2,3,nucleus\n"))


def test_what_a_table_cannot_say_is_left_out(tmp_path):
    path = tmp_path / "out.csv"
    write_table(path, [Shapes.of("point", [[1, 2]], measurements={"score": [np.inf]})])
    assert np.isnan(read_table(path).measurements["score"]).all()


def test_what_fails_leaves_the_old_table(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def failing():
        yield Shapes.of("point", [[1, 2]])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_table(path, failing())
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "old"


@given(
    points=st.lists(
        st.tuples(*[st.floats(-1e6, 1e6).map(lambda value: round(value, 3))] * 2), min_size=1
    )
)
def test_points_round_trip(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("table") / "points.csv"
    write_table(path, [Shapes.of("point", points)])
    with path.open(newline="") as file:
        rows = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
    np.testing.assert_allclose(rows, points, atol=1e-4)
