"""Colours by the ICC profile, with highdicom as the judge."""

from __future__ import annotations

import io

import highdicom
import numpy as np
import pydicom
import pytest
from faulty import Fault
from PIL import ImageCms
from viewer.asking import ask, pixels, region, told
from viewer.profiles import other_profile, write_coloured

import wsiweb
from wsiweb import synthetic
from wsiweb.viewer import Feed


@pytest.fixture
def folder(tmp_path):
    write_coloured(tmp_path, 700, 500)
    return tmp_path


def test_colours_are_those_of_highdicom(folder, reached):
    slide = reached(folder)
    feed = Feed(slide)
    assert told(feed, "manifest")["icc"]
    profile = io.BytesIO(other_profile())
    intent = ImageCms.getDefaultIntent(ImageCms.ImageCmsProfile(profile))
    assert intent == 0  # else highdicom, which takes perceptual, would be no judge
    judge = highdicom.color.ColorManager(other_profile())
    for place in [(0, 0, 0), (0, 1, 1), (1, 0, 0)]:
        stored, (width, height) = region(slide, *place)
        found = ask(feed, "tiles/0/0/{}/{}/{}?color=srgb".format(*place))
        seen = pixels(found)[:height, :width]
        stored = stored[:height, :width]
        np.testing.assert_array_equal(seen, judge.transform_frame(np.ascontiguousarray(stored)))
        assert np.abs(seen.astype(int) - stored).mean() > 5


def test_the_profile_is_fetched_once_for_each_level(folder, faulty, opened):
    from faulty import Faulty

    from wsiweb.server import create_app, serve

    app = Faulty(create_app(folder))
    with serve(app=app) as server:
        feed = Feed(opened(server.url))
        app.log.clear()
        for column in (0, 1):
            ask(feed, f"tiles/0/0/0/{column}/0?color=srgb")
        assert len(app.paths("/metadata")) == 1
        app.log.clear()
        ask(feed, "tiles/0/0/0/1/0?color=srgb")
        assert not app.log  # held, encoded


def test_without_a_profile_it_is_as_stored(tmp_path, opened):
    made = synthetic.write_slide(tmp_path, 300, 200)
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        del dataset.OpticalPathSequence[0].ICCProfile
        dataset.save_as(path)
    slide = opened(tmp_path)
    feed = Feed(slide)
    assert not told(feed, "manifest")["icc"]
    stored, (width, height) = region(slide, 0, 0, 0)
    seen = pixels(ask(feed, "tiles/0/0/0/0/0?color=srgb"))
    np.testing.assert_array_equal(seen[:height, :width], stored[:height, :width])


def test_a_damaged_profile_is_told(tmp_path, opened):
    made = synthetic.write_slide(tmp_path, 300, 200)
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        dataset.OpticalPathSequence[0].ICCProfile = b"no profile"
        dataset.save_as(path)
    feed = Feed(opened(tmp_path))
    with pytest.raises(wsiweb.SlideError, match=r"ICC profile of instance .* as they are stored"):
        ask(feed, "tiles/0/0/0/0/0?color=srgb")
    assert ask(feed, "tiles/0/0/0/0/0").data


def test_a_profile_that_does_not_come_is_an_error_of_the_archive(faulty, opened):
    _, server = faulty(Fault("/instances/", status=404))
    slide = opened(server.url)
    with pytest.raises(wsiweb.NotFound):
        ask(Feed(slide), "tiles/0/0/0/0/0?color=srgb")
