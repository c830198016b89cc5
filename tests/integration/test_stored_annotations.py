"""Annotations stored in a real archive and read back."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from results.about import objects_in, source_of

import wsiweb
from wsiweb import loop, synthetic
from wsiweb.places import frames_at
from wsiweb.results.reading.annotations import read_annotations
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes

SIZE = (2100, 1500)


def shapes():
    """Some whose values stand in the metadata, and some that have to be fetched."""
    random = np.random.default_rng(4)
    polygons = random.uniform(0, 1500, (3000, 2))
    measured = np.where(np.arange(1000) % 3, random.random(1000), np.nan)
    return [
        Shapes.of(
            "polygon",
            polygons,
            np.arange(0, 3000, 3),
            classes=np.where(np.arange(1000) % 2, "Tumor", "Größe"),
            measurements={"Area µm^2": measured},
        ),
        Shapes.of("point", [[1, 2], [3, 4]], classes="Mitosis"),
        Shapes.of("rectangle", [[10, 20], [30, 20], [30, 40], [10, 40]]),
    ]


@pytest.fixture(scope="module")
def read_back(orthanc, tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotated")
    made = synthetic.write_slide(
        folder, *SIZE, seed=11, label=False, overview=False, thumbnail=False
    )
    source = source_of(folder)
    objects = objects_in(folder, source)
    for coordinates in ("2d", "3d"):
        add_annotations(source, objects, shapes(), coordinates=coordinates)
    orthanc.upload(folder)
    with wsiweb.connect(orthanc.url, auth=(orthanc.user, orthanc.password)) as archive:
        slide = archive.open_slide(made.study_uid, made.series_uid)
        connect = functools.partial(frames_at, archive._place)
        yield loop.run(read_annotations(slide._pyramid, connect))


def test_what_was_stored_is_read(read_back):
    assert len(read_back) == 2
    polygons, points, rectangle = shapes()
    for found in read_back:
        groups = {group.label: group for group in found.groups}
        assert list(groups) == ["Größe", "Tumor", "Mitosis", "rectangle"]
        for number, name in enumerate(polygons.classes):
            expected = polygons.take(polygons.of_class(number))
            ours = groups[name]
            assert np.abs(ours.coordinates - expected.coordinates).max() <= 2e-3
            assert np.array_equal(ours.index, expected.index)
            assert np.allclose(
                ours.measurements["Area µm^2"],
                expected.measurements["Area µm^2"],
                equal_nan=True,
                rtol=1e-6,
            )
        assert np.abs(groups["Mitosis"].coordinates - points.coordinates).max() <= 2e-3
        assert np.abs(groups["rectangle"].coordinates - rectangle.coordinates).max() <= 2e-3


def test_the_object_is_saved(read_back, tmp_path):
    (path,) = read_back[0].save(tmp_path)
    assert path.stat().st_size > 24_000
