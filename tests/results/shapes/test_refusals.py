"""Slips in what is given as annotations: told in words, before anything is left on disk."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.shapes import Shapes

BOXES = [shapely.box(0, 0, 9, 9), shapely.box(20, 0, 29, 9)]
NUMBERS = "Coordinates are an array of numbers"


@pytest.fixture
def source():
    return sized((300, 220), (1, 2, 4))


@pytest.mark.parametrize(
    ("shapes", "told", "words"),
    [
        ([[0, 0], [1]], {}, "Each array of a list has shape"),
        ([[[0, 0], [1]], [[0, 0], [9, 0], [9, 9]]], {}, NUMBERS),
        ([["0", "0"], ["1", "1"], ["2", "0"]], {}, NUMBERS),
        ([[["0", "0"], ["9", "0"], ["9", "9"]]], {}, NUMBERS),
        ([[[None, 0], [9, 0], [9, 9]]], {}, NUMBERS),
        (None, {}, "Annotations are made of .*; NoneType was given"),
        (5, {}, "; int was given"),
        ([5, 6], {}, "; list of int was given"),
        (["POINT (1 1)"], {}, "; list of str was given"),
        ("a\0b", {}, "neither the text of GeoJSON nor a file"),
        ("POINT (1 1) " * 99, {}, "neither the text of GeoJSON nor a file"),
        (BOXES, {"label": 5}, "label of annotations has 0 to 64 characters.*; 5 was given"),
        (BOXES, {"label": None}, "label of annotations .*; None was given"),
        (BOXES, {"description": None}, "description of annotations is a text .*; None was given"),
        (BOXES, {"description": 5}, "description of annotations is a text .*; 5 was given"),
        (BOXES, {"level": "0"}, "level is a whole number, not '0'"),
        (BOXES, {"level": 1.0}, r"level is a whole number, not 1\.0"),
        (BOXES, {"level": True}, "level is a whole number, not True"),
        (BOXES, {"level": None}, "level is a whole number, not None"),
        (BOXES, {"coordinates": 2}, "coordinates is one of 2d, 3d"),
        (BOXES, {"holes": []}, "holes is one of refuse, drop, segmentation"),
        (BOXES, {"crossing": None}, "crossing is one of keep, refuse"),
        (BOXES, {"multi": []}, 'multi is "refuse" or "split"'),
        (BOXES, {"measurements": 5}, "given by their names.*; 5 was given"),
        (BOXES, {"measurements": ["Area"]}, "given by their names"),
        (BOXES, {"type": 5}, "A coded term is .*5 is given as"),
        (BOXES, {"category": 5}, "A coded term is .*5 is given as"),
    ],
)
def test_annotations(source, tmp_path, shapes, told, words):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=words):
        add_annotations(source, objects, shapes, **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]


def test_a_path_to_nothing(source, tmp_path):
    for path in ("nonexistent.geojson", tmp_path / "nonexistent.geojson"):
        with pytest.raises(FileNotFoundError, match=r"no GeoJSON at .*nonexistent\.geojson"):
            add_annotations(source, objects_in(tmp_path, source), path)


def test_a_folder_is_no_geojson(source, tmp_path):
    with pytest.raises(ValueError, match="neither the text of GeoJSON nor a file"):
        add_annotations(source, objects_in(tmp_path / "made", source), tmp_path)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"measurements": {"a": [1]}}, r"There are 2 shapes, and the measurement 'a' .*\(1,\)"),
        ({"measurements": {"a": [1, 2, 3]}}, "There are 2 shapes, and the measurement 'a'"),
        ({"measurements": {"a": 5}}, "There are 2 shapes, and the measurement 'a'"),
        ({"measurements": {"a": [[1, 2], [3, 4]]}}, "measurement 'a' is not made of numbers"),
        ({"measurements": {"a": [[1], [3, 4]]}}, "measurement 'a' is not made of numbers"),
        ({"measurements": {"a": ["x", "y"]}}, "measurement 'a' is not made of numbers"),
        ({"measurements": 5}, "Names of measurements are understood for a table only"),
        ({"classes": 5}, "classes is a name, or several of them in a list; 5 was given"),
        ({"classes": ["a"]}, "There are 2 shapes, and classes"),
        ({"colors": 5}, "classes with a colour are given by name.*; 5 was given"),
        ({"colors": {"a": 5}}, "colour of class 'a'"),
        ({"origin": []}, 'origin is "corner" or "center"'),
    ],
)
def test_columns_of_geometries(told, words):
    with pytest.raises(ValueError, match=words):
        shapes_of(BOXES, **told)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"kind": 5}, "kind of shapes is one of"),
        ({"kind": []}, "kind of shapes is one of"),
        ({"kind": "polygon", "index": [[0], [1, 2]]}, "The index is a list of whole numbers"),
        ({"kind": "polygon", "index": "0"}, "The index is a list of whole numbers"),
        ({"kind": "polygon", "index": [0.0]}, "The index is a list of whole numbers"),
        ({"kind": "point", "measurements": {"a": [1]}}, "There are 3 shapes"),
    ],
)
def test_flat_arrays(told, words):
    with pytest.raises(ValueError, match=words):
        shapes_of(np.zeros((3, 2)), **told)


def test_columns_of_flat_arrays():
    with pytest.raises(ValueError, match="measurements are given by name"):
        Shapes.of("point", [[1, 1]], measurements=5)
    with pytest.raises(ValueError, match="classes is a name"):
        Shapes.of("point", [[1, 1]], classes=5)


def test_columns_of_tables():
    class Table:
        columns = ("geometry",)
        geometry = BOXES

    with pytest.raises(ValueError, match="measurements is a name, or several"):
        shapes_of(Table(), measurements=5)
