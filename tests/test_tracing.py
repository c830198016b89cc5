from __future__ import annotations

import wsiweb


def test_a_trace_counts_what_was_done(made_server):
    with wsiweb.connect(made_server.url) as archive, wsiweb.trace() as cost:
        slide = archive.slides()[0].open()
        slide.read_region((0, 0), 0, (512, 512))
        slide.read_region((0, 0), 0, (512, 512))
    assert cost.requests >= 3
    assert cost.connections >= 1
    assert cost.frames_fetched == cost.frames_decoded == cost.cache_hits == 4
    assert cost.bytes_received > 10_000
    assert {"wait", "transfer", "decode"} <= set(cost.seconds)
    assert f"{cost.requests} requests" in str(cost)


def test_a_closed_trace_stands_still(made_server):
    with wsiweb.trace() as cost:
        pass
    with wsiweb.connect(made_server.url) as archive:
        archive.studies()[0]
    assert cost.requests == 0


def test_traces_may_lie_within_each_other(made_server):
    with wsiweb.connect(made_server.url) as archive, wsiweb.trace() as outer:
        archive.studies()[0]
        with wsiweb.trace() as inner:
            archive.slides()[0]
    assert 0 < inner.requests < outer.requests
