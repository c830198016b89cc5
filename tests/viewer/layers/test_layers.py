"""What layers there are: of all kinds, chosen ones, none; looked for once, and again."""

from __future__ import annotations

import asyncio
import time

import pytest
from results.every_kind import KINDS, make
from viewer.asking import ask, pixels, told

from wsiweb.errors import DecodeError, NotFound
from wsiweb.results.reading.heatmap import HeatMap
from wsiweb.viewer import Feed, layers

RESULTS = [kind for kind in KINDS if not kind.startswith("image")]


@pytest.mark.parametrize("kind", RESULTS)
def test_every_kind_of_result_is_a_layer_that_can_be_shown(place, kind):
    (made, *_) = make(kind, place.source, place.objects)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["title"] == place.objects.maker.name
    assert layer["created"] == place.objects.maker.created.isoformat()
    assert layer["parts"]
    for part in layer["parts"]:
        assert part["color"].startswith("#")
        base = f"layers/{layer['id']}/{part['id']}"
        if layer["shapes"]:
            assert ask(feed, f"{base}/shapes/0,0,2100,1500").data
            assert pixels(ask(feed, f"{base}/coverage/0/0/0"), None).any()
        else:
            assert pixels(ask(feed, f"{base}/0/0/0"), None).any()
        assert isinstance(told(feed, f"{base}/at/5,5"), list)
    listed = {one["uid"]: one["title"] for one in told(feed, "tags")}
    assert layer["id"] in listed
    tree = {one["keyword"]: one["value"] for one in told(feed, f"tags/{layer['id']}")}
    assert tree["SeriesInstanceUID"] == made.series_uid


def test_the_manifest_tells_whether_layers_are_known(place):
    make("annotations 2D", place.source, place.objects)
    feed = place.feed()
    before = told(feed, "manifest")
    assert (before["layers"], before["layersComplete"]) == ([], False)
    layers = told(feed, "layers")
    after = told(feed, "manifest")
    assert (after["layers"], after["layersComplete"]) == (layers, True)


def test_a_tile_may_be_asked_for_before_the_list(place):
    (made,) = make("binary mask", place.source, place.objects)[:1]
    feed = place.feed()
    assert ask(feed, f"layers/{made.instance_uid}/1/0/0/0").data


def test_what_is_stored_later_is_found_when_the_list_is_asked_for_again(place):
    make("annotations 2D", place.source, place.objects)
    feed = place.feed()
    assert len(told(feed, "layers")) == 1
    first = feed._layers._layers.copy()
    make("report 2D", place.source, place.objects)
    late = time.monotonic() + 20
    while len(told(feed, "layers")) < 2:  # a folder is looked through every other second
        assert time.monotonic() < late
        time.sleep(0.1)
    assert first.items() <= feed._layers._layers.items()  # what is loaded stays


def test_chosen_overlays_only(place):
    make("annotations 2D", place.source, place.objects)
    make("report 2D", place.source, place.objects)
    place.feed()
    feed = Feed(place.slide, place.slide.reports())
    (layer,) = told(feed, "layers")
    assert layer["kind"] == "report"
    assert told(Feed(place.slide, True), "layers") != []


def test_no_overlays(place):
    make("annotations 2D", place.source, place.objects)
    feed = place.feed(False)
    assert told(feed, "manifest")["layersComplete"]
    assert told(feed, "layers") == []
    with pytest.raises(NotFound, match="no layer"):
        ask(feed, "layers/1.2.3/0/0/0/0")


def test_what_is_no_overlay_is_refused(place):
    with pytest.raises(ValueError, match=r"overlays are results such as .* 'mask' is none"):
        place.feed(["mask"])


def test_what_several_ask_for_at_once_is_looked_for_once(place):
    make("annotations 2D", place.source, place.objects)
    feed = place.feed()

    async def main():
        return await asyncio.gather(*(feed.get("layers") for _ in range(5)))

    found = asyncio.run(main())
    assert len({one.data for one in found}) == 1


def test_closed_and_asked_again(place):
    (made,) = make("annotations 2D", place.source, place.objects)
    feed = place.feed()
    path = f"layers/{made.instance_uid}/0/shapes/0,0,100,100"
    before = ask(feed, path).data
    feed.close()
    assert feed._layers._layers is None
    assert ask(feed, path).data == before


# What cannot be read ----------------------------------------------------------------------------


async def fails(*_):
    raise DecodeError("The frame is damaged.")


def test_one_result_that_cannot_be_read_hides_no_other(place, monkeypatch):
    make("binary mask", place.source, place.objects)
    make("map of 16 bits", place.source, place.objects)
    feed = place.feed()
    with monkeypatch.context() as patch:
        patch.setattr(HeatMap, "extremes_async", fails)
        mask, heatmap = told(feed, "layers")
    assert (mask["kind"], mask["problem"]) == ("segmentation", "")
    assert (heatmap["kind"], heatmap["parts"], heatmap["raster"]) == ("heatmap", [], None)
    assert heatmap["problem"] == "This could not be read: The frame is damaged."
    assert [one["problem"] for one in told(feed, "layers")] == ["", ""]  # it was asked for again


def test_one_kind_that_is_not_listed_hides_no_other(place, monkeypatch):
    make("binary mask", place.source, place.objects)
    feed = place.feed()
    with monkeypatch.context() as patch:
        patch.setitem(layers._READERS, "report", fails)
        mask, reports = told(feed, "layers")
        assert mask["problem"] == ""
        assert (reports["kind"], reports["id"]) == ("report", "unread-report")
        assert "damaged" in reports["problem"]
        for kind in layers._READERS:
            patch.setitem(layers._READERS, kind, fails)
        with pytest.raises(DecodeError):
            ask(feed, "layers")
    assert len(told(feed, "layers")) == 1
