"""The real slide, through every way there is, against what other libraries make of its files."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import wsiweb
from wsiweb.server import serve


@pytest.fixture(scope="module")
def files(cmu_folder):
    """Return the instances of the real slide, by SOP Instance UID."""
    datasets = [pydicom.dcmread(path) for path in sorted(cmu_folder.glob("*.dcm"))]
    return {str(dataset.SOPInstanceUID): dataset for dataset in datasets}


def _by_pydicom(dataset, frame):
    """Return a frame as pydicom decodes it.

    Some edge frames of this slide are cut off instead of padded (against PS3.3 C.8.12.4), and
    pydicom must be told their size; that it also finds a JFIF marker odd is no concern here.
    """
    single = pydicom.Dataset()
    single.file_meta = dataset.file_meta
    for keyword in (
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
    ):
        setattr(single, keyword, dataset[keyword].value)
    with Image.open(BytesIO(frame)) as picture:
        single.Columns, single.Rows = picture.size
    single.NumberOfFrames = 1
    single.PixelData = pydicom.encaps.encapsulate([frame])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*contains a JFIF APP marker")
        return single.pixel_array


def _stored(dataset):
    count = int(dataset.NumberOfFrames)
    return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=count))


def _by_pillow(frame):
    with Image.open(BytesIO(frame)) as picture:
        return np.asarray(picture.convert("RGB"))


def _is_rgb_coded(frame):
    """Whether an Adobe marker says that the three components are R, G and B."""
    at = frame.find(b"Adobe")
    return at >= 0 and frame[at + 11] == 0


class Judged(dict):
    """Each instance's frames as other libraries decode them."""

    def __repr__(self):
        return "<Judged>"


@pytest.fixture(scope="module")
def judged(files):
    """Return frames as pydicom decodes them.

    pydicom converts YCbCr to RGB in floating point, which is a rounding apart from libjpeg's
    integers; where that plays a part the judge is Pillow, after it was compared with pydicom.
    """
    judged = Judged()
    for uid, dataset in files.items():
        judged[uid] = []
        for frame in _stored(dataset):
            expected = _by_pydicom(dataset, frame)
            if not _is_rgb_coded(frame):
                pillow = _by_pillow(frame)
                np.testing.assert_allclose(pillow.astype(int), expected.astype(int), atol=1)
                expected = pillow
            judged[uid].append(expected)
    return judged


@pytest.fixture(scope="module")
def cmu_server(cmu_folder):
    with serve(cmu_folder) as server:
        yield server


@pytest.fixture(scope="module", params=["embedded server", "folder", "Orthanc"])
def slide(request, cmu_folder, files):
    study = str(next(iter(files.values())).StudyInstanceUID)
    if request.param == "Orthanc":
        orthanc = request.getfixturevalue("orthanc")
        orthanc.upload(cmu_folder)
        target, auth = orthanc.url, (orthanc.user, orthanc.password)
    elif request.param == "folder":
        target, auth = cmu_folder, None
    else:
        target, auth = request.getfixturevalue("cmu_server").url, None
    with wsiweb.connect(target, auth=auth) as archive, archive.open_slide(study) as slide:
        yield slide


def test_every_tile_of_every_level_is_what_pydicom_decodes(slide, judged):
    seen = 0
    for level in slide.levels:
        (uid,) = level.instance_uids
        width, height = level.tile_size
        for row in range(level.grid[1]):
            for column in range(level.grid[0]):
                address = level.frame(column, row)
                location = tuple(
                    round(at * side * level.downsample)
                    for at, side in zip((column, row), (width, height), strict=True)
                )
                valid = level.crop(column, row)
                tile = slide.read_region(location, level.index, valid)
                expected = judged[uid][address.number - 1][: valid[1], : valid[0]]
                np.testing.assert_array_equal(tile, expected)
                seen += 1
    assert seen == 130 + 35 + 12 + 4 + 1


def test_label_overview_and_thumbnail_are_what_pydicom_decodes(slide, files, judged):
    by_kind = {dataset.ImageType[2]: uid for uid, dataset in files.items()}
    np.testing.assert_array_equal(slide.overview, judged[by_kind["OVERVIEW"]][0])
    np.testing.assert_array_equal(slide.label, judged[by_kind["LABEL"]][0])
    assert set(slide.associated) == {"label", "overview", "thumbnail"}


def test_tiles_are_the_stored_bytes(slide, files):
    for level in slide.levels:
        (uid,) = level.instance_uids
        dataset = files[uid]
        frames = _stored(dataset)
        columns = level.grid[0]
        for number in range(0, len(frames), 7):
            tile = slide.tile(level.index, number % columns, number // columns)
            assert tile.data.rstrip(b"\0") == frames[number].rstrip(b"\0")


def _assembled(level, frames):
    width, height = level.size
    canvas = np.empty((height, width, 3), np.uint8)
    tile_width, tile_height = level.tile_size
    for number, frame in enumerate(frames):
        row, column = divmod(number, level.grid[0])
        part = canvas[row * tile_height :, column * tile_width :][:tile_height, :tile_width]
        part[...] = frame[: part.shape[0], : part.shape[1]]
    return canvas


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    location=st.tuples(st.integers(-300, 2500), st.integers(-300, 3200)),
    size=st.tuples(st.integers(0, 600), st.integers(0, 600)),
    number=st.integers(0, 4),
)
def test_a_region_is_a_slice_of_the_assembled_level(slide, judged, location, size, number):
    level = slide.levels[number]
    whole = _assembled(level, judged[level.instance_uids[0]])
    x, y = (int(np.floor(value / level.downsample + 0.5)) for value in location)
    padded = np.pad(whole, ((1000, 1000), (1000, 1000), (0, 0)), constant_values=255)
    expected = padded[y + 1000 : y + 1000 + size[1], x + 1000 : x + 1000 + size[0]]
    region = slide.read_region(location, number, size)
    np.testing.assert_array_equal(region[: expected.shape[0], : expected.shape[1]], expected)


def test_opening_costs_at_most_a_request_for_each_instance_and_two(cmu_server, files):
    study = str(next(iter(files.values())).StudyInstanceUID)
    with wsiweb.connect(cmu_server.url) as archive, wsiweb.trace() as cost:
        archive.open_slide(study)
    assert cost.requests <= len(files) + 2
    assert cost.frames_fetched == 0


# Other libraries on the same server ---------------------------------------------------------


def _web_client(url):
    from dicomweb_client.api import DICOMwebClient

    return DICOMwebClient(url)


def test_wsidicom_reads_the_same_region_from_the_same_server(cmu_server, files):
    """Level 0 alone; of the others see below."""
    from wsidicom import WsiDicom, WsiDicomWebClient

    first = next(iter(files.values()))
    study, series = str(first.StudyInstanceUID), str(first.SeriesInstanceUID)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            WsiDicom.open_web(WsiDicomWebClient(_web_client(cmu_server.url)), study, series) as wsi,
            wsiweb.connect(cmu_server.url) as archive,
            archive.open_slide(study, series) as ours,
        ):
            theirs = np.asarray(wsi.read_region((30, 20), 0, (700, 900)).convert("RGB"))
            np.testing.assert_array_equal(ours.read_region((30, 20), 0, (700, 900)), theirs)


def test_the_colours_of_all_levels_agree(slide):
    """The headers of levels 1 to 4 say RGB, and their codestreams are YCbCr: level 0 is the judge.

    A reader that believes those headers (wsidicom does) shows them green.
    """
    whole = slide.read_region((0, 0), 0, slide.size)
    for level in slide.levels[1:]:
        step = int(level.downsample)
        width, height = slide.size[0] // step, slide.size[1] // step
        cut = whole[: height * step, : width * step].reshape(height, step, width, step, 3)
        region = slide.read_region((0, 0), level.index, (width, height))
        assert np.abs(region - cut.mean(axis=(1, 3))).mean() < 6


def test_dicomslide_reads_the_same_region_from_the_same_server(cmu_folder, tmp_path, files):
    """Level 0 alone: dicomslide fails on a LABEL without PixelSpacing and on cut-off frames."""
    import dicomslide

    study = str(next(iter(files.values())).StudyInstanceUID)
    name = "volume-2220x2967.dcm"
    (tmp_path / name).symlink_to(cmu_folder / name)
    with serve(tmp_path) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (theirs,) = dicomslide.find_slides(_web_client(server.url), study_instance_uid=study)
        expected = theirs.get_image_region((200, 100), 0, (500, 600))  # (row, column), (rows, ...)
        with wsiweb.connect(server.url) as archive, archive.open_slide(study) as ours:
            region = ours.read_region((100, 200), 0, (600, 500))
    np.testing.assert_array_equal(region, expected)


def test_wsidicom_and_dicomslide_read_a_made_up_slide_as_we_do(made_server, made):
    import dicomslide
    from wsidicom import WsiDicom, WsiDicomWebClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = _web_client(made_server.url)
        (slides,) = dicomslide.find_slides(client, study_instance_uid=made.study_uid)
        web = WsiDicomWebClient(client)
        with (
            WsiDicom.open_web(web, made.study_uid, made.series_uid) as wsi,
            wsiweb.connect(made_server.url) as archive,
            archive.open_slide(made.study_uid) as ours,
        ):
            for level in ours.levels[:3]:
                corner = tuple(round(at * level.downsample) for at in (90, 40))
                region = ours.read_region(corner, level.index, (300, 200))
                power = round(np.log2(level.downsample))
                theirs = np.asarray(wsi.read_region((90, 40), power, (300, 200)))
                np.testing.assert_array_equal(region, theirs)
            region = ours.read_region((90, 40), 0, (300, 200))
            theirs = slides.get_image_region((40, 90), 0, (200, 300))
            np.testing.assert_array_equal(region, theirs)
