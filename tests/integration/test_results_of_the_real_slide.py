"""Tissue of the real slide as a mask, outlines, a heat map and a report: there and back.

Stored in the embedded server, and in Orthanc, and read from both through DICOMweb.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import shapely

import wsiweb
from wsiweb.results import Finding
from wsiweb.server import serve

ROOT = Path(__file__).parents[2]
LEVEL = 1


def tissue_of(slide, level):
    """The tissue that the page on results finds, by the code that stands there."""
    page = (ROOT / "docs" / "results.md").read_text()
    (block,) = [
        one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Otsu's" in one
    ]
    names = {"np": np}
    exec(block.partition("\n\n\ntissue = ")[0], names)
    return names["tissue_of"](slide, level)


def boxes_in(mask, downsample, step=64):
    """Boxes around tissue, in level-0 pixels; the last pixels of a level may reach beyond."""
    found = []
    for y in range(0, mask.shape[0], step):
        for x in range(0, mask.shape[1], step):
            rows, columns = np.nonzero(mask[y : y + step, x : x + step])
            if len(rows):
                low = np.array([x + columns.min(), y + rows.min()]) * downsample
                high = np.array([x + columns.max() + 1, y + rows.max() + 1]) * downsample
                found.append(shapely.box(*low, *high))
    return found


@pytest.fixture(scope="module")
def made(cmu_folder, tmp_path_factory):
    """What was made of the slide, and the files of both."""
    folder = tmp_path_factory.mktemp("cmu")
    shutil.copytree(cmu_folder, folder, dirs_exist_ok=True)
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        level = slide.levels[LEVEL]
        tissue = tissue_of(slide, LEVEL)
        assert 0.05 < tissue.mean() < 0.95
        boxes = boxes_in(tissue, level.downsample)
        width, height = (-(-edge // 128) for edge in slide.size)
        scores = np.linspace(-1, 3, width * height).reshape(height, width)
        session = slide.results("tissue", algorithm=("Otsu", "1.0"))
        session.add_mask(tissue, segments="Tissue")
        session.add_annotations(boxes, label="boxes", type="Tissue")
        session.add_heatmap(scores, patch=128, quantity="DCM:Probability")
        area = ("SCT:Area", 1.5, "UCUM:SquareMillimeter")
        session.add_report([Finding(region=boxes[0], type="Tissue", measurements=[area])])
        session.save(folder / "results")
    return folder, tissue, boxes, scores


def check(slide, made):
    _, tissue, boxes, scores = made
    (segmentation,) = slide.segmentations("tissue")
    size = slide.levels[LEVEL].size
    np.testing.assert_array_equal(segmentation.read_region((0, 0), LEVEL, size), tissue)
    (annotations,) = slide.annotations("tissue")
    found = annotations.to_shapely()
    assert len(found) == len(boxes)
    assert max(one.hausdorff_distance(b) for one, b in zip(found, boxes, strict=True)) < 1e-3
    (heatmap,) = slide.heatmaps("tissue")
    np.testing.assert_allclose(heatmap.values(), scores, atol=4 / 131068 * 1.01)
    (report,) = slide.reports("tissue")
    (finding,) = report.findings
    assert finding.measurements[0].value == 1.5
    np.testing.assert_allclose(
        sorted(map(tuple, finding.region.points)),
        sorted(map(tuple, shapely.get_coordinates(boxes[0])[:-1])),
        atol=5e-3,
    )


def test_from_the_embedded_server(made):
    with serve(made[0]) as server, wsiweb.connect(server.url) as archive:
        check(archive.slides()[0].open(), made)


def test_from_a_real_archive(made, orthanc):
    folder = made[0]
    orthanc.upload(folder)
    orthanc.upload(folder / "results")
    with wsiweb.connect(folder) as archive:
        study = archive.slides()[0].study_uid
    with wsiweb.connect(orthanc.url, auth=(orthanc.user, orthanc.password)) as archive:
        check(archive.slides(study_uid=study)[0].open(), made)
