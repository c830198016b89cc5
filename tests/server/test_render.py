from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from server.making import ask, dicom, element

from wsiweb.server import render, serve


def picture(answer):
    assert answer.status == 200, answer.body
    image = Image.open(io.BytesIO(answer.body))
    assert answer.headers["content-type"] == f"image/{image.format.lower()}"
    return np.asarray(image)


@pytest.fixture(scope="module")
def level(cmu_folder):
    """The third level, with the way to it and its pixels put together by Pillow and numpy."""
    dataset = next(
        one
        for one in map(pydicom.dcmread, cmu_folder.glob("volume*.dcm"))
        if one.TotalPixelMatrixColumns == 555
    )
    count = int(dataset.NumberOfFrames)
    across = -(-dataset.TotalPixelMatrixColumns // dataset.Columns)
    whole = np.zeros((-(-count // across) * dataset.Rows, across * dataset.Columns, 3), np.uint8)
    for number, frame in enumerate(generate_frames(dataset.PixelData, number_of_frames=count)):
        tile = np.asarray(Image.open(io.BytesIO(frame)))
        y, x = number // across * dataset.Rows, number % across * dataset.Columns
        whole[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    pixels = whole[: dataset.TotalPixelMatrixRows, : dataset.TotalPixelMatrixColumns]
    series = f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
    return series, f"{series}/instances/{dataset.SOPInstanceUID}", pixels


def test_an_instance_is_put_together_of_its_tiles(cmu, level):
    _, path, pixels = level
    assert (picture(ask(cmu.url, f"{path}/rendered", Accept="image/png")) == pixels).all()
    jpeg = picture(ask(cmu.url, f"{path}/rendered?quality=95"))
    assert np.abs(jpeg.astype(int) - pixels).mean() < 3


def test_a_viewport_is_fitted_in_proportion(cmu, level):
    _, path, pixels = level
    small = picture(ask(cmu.url, f"{path}/rendered?viewport=100,300", Accept="image/png"))
    assert small.shape == (134, 100, 3)
    wanted = np.asarray(Image.fromarray(pixels).resize((100, 134), Image.Resampling.LANCZOS))
    assert np.abs(small.astype(int) - wanted).mean() < 3  # tiles are scaled one by one
    assert picture(ask(cmu.url, f"{path}/rendered?viewport=9000,9000")).shape == pixels.shape


def test_frames_and_thumbnails(cmu, level):
    series, path, pixels = level
    frame = picture(ask(cmu.url, f"{path}/frames/2/rendered", Accept="image/png"))
    assert (frame == pixels[:240, 240:480]).all()
    assert picture(ask(cmu.url, f"{path}/frames/2/thumbnail?viewport=60,60")).shape == (60, 60, 3)
    study = series.partition("/series")[0]
    for where in (study, series, path):
        assert max(picture(ask(cmu.url, f"{where}/thumbnail")).shape) == 256


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grey")
    values = np.array([100, 200, 300, 1100], "<u2").tobytes()
    slide = {
        "x00480006": element(0x00480006, "UL", (90_000).to_bytes(4, "little")),
        "x00480007": element(0x00480007, "UL", (90_000).to_bytes(4, "little")),
        "x00080008": element(0x00080008, "CS", "ORIGINAL\\PRIMARY\\VOLUME\\NONE"),
        "x00209311": element(0x00209311, "CS", "TILED_FULL"),
    }
    files = {
        "1.1": dicom("1.1", bits=16, pixels=element(0x7FE00010, "OW", values)),
        "1.2": dicom("1.2", x00280004=element(0x00280004, "CS", "MONOCHROME1")),
        "1.3": dicom("1.3", bits=32),
        "1.5": dicom("1.5", series="1.2.3.6", pixels=b""),
        "1.6": dicom("1.6", shape=(100, 100), frames=1000, **slide),
    }  # fmt: skip
    for uid, data in files.items():
        (folder / f"{uid}.dcm").write_bytes(data)
    with serve(folder) as server:
        yield f"{server.url}", "/studies/1.2.3/series/1.2.3.4/instances"


def test_sixteen_bits_are_spread_and_monochrome1_is_turned_round(grey):
    url, path = grey
    for where in ("1.1/rendered", "1.1/frames/1/rendered"):
        shown = picture(ask(url, f"{path}/{where}", Accept="image/png"))
        assert shown.tolist() == [[0, 26], [51, 255]]
    assert (
        picture(ask(url, f"{path}/1.2/rendered", Accept="image/png")).tolist() == [[255, 255]] * 2
    )


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("1.1/rendered", "image/gif", 406),
        ("1.1/rendered", "application/dicom", 406),
        ("1.1/rendered?viewport=1", "", 400),
        ("1.1/rendered?viewport=0,5", "", 400),
        ("1.1/rendered?viewport=99999,5", "", 400),
        ("1.1/rendered?quality=101", "", 400),
        ("1.1/rendered?quality=best", "", 400),
        ("1.1/frames/2/rendered", "", 400),
        ("1.1/frames/1,1/rendered", "", 400),
        ("1.9/rendered", "", 404),
        ("1.3/rendered", "", 406),
        ("1.6/rendered", "", 406),  # fewer frames than tiles
        ("../../1.2.3.6/instances/1.5/rendered", "", 404),
    ],
)
def test_refusals(grey, path, accept, status):
    url, base = grey
    if path.startswith(".."):
        base, path = "/studies/1.2.3/series", path.removeprefix("../../")
    answer = ask(url, f"{base}/{path}", Accept=accept)
    assert answer.status == status
    assert answer.json["error"]


def test_a_thumbnail_is_of_what_can_be_shown(grey):
    url, _ = grey
    assert ask(url, "/studies/1.2.3/series/1.2.3.6/thumbnail").status == 404
    assert ask(url, "/studies/1.2.3/thumbnail").status == 200


def test_a_picture_of_too_many_tiles_is_refused(cmu, level, monkeypatch):
    _, path, pixels = level
    monkeypatch.setattr(render, "_MOST_TILES", 1)
    refused = ask(cmu.url, f"{path}/rendered?viewport=100,100")
    assert refused.status == 400
    assert "too many to be rendered" in refused.json["error"]
    monkeypatch.undo()
    monkeypatch.setattr(render, "_MOST_PIXELS", pixels.shape[0] * pixels.shape[1] - 1)
    assert ask(cmu.url, f"{path}/rendered").status == 400
    assert ask(cmu.url, f"{path}/rendered?viewport=100,100").status == 200
