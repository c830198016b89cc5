"""The channel between a widget and its kernel, with a feed of a real slide."""

from __future__ import annotations

import json
import threading
import time

import pytest

import wsiweb
from wsiweb.viewer.channel import Channel
from wsiweb.viewer.feed import Feed


class Frontend:
    """What a front end hears, and when."""

    def __init__(self):
        self.messages = []
        self.heard = {}
        self.answers = {}
        self._changed = threading.Condition()

    def take(self, message, buffers):
        with self._changed:
            assert len(message["got"]) == len(buffers)
            json.dumps(message)
            self.messages.append(message)
            self.heard.update(message["heard"])
            for (name, media_type, refusal), data in zip(message["got"], buffers, strict=True):
                assert name not in self.answers, "answered twice"
                self.answers[name] = media_type, refusal, data
            self._changed.notify_all()

    def wait_for(self, *names, patience=20):
        with self._changed:
            there = self._changed.wait_for(lambda: self.answers.keys() >= set(names), patience)
        assert there, f"only {sorted(self.answers)} came"
        return [self.answers[name] for name in names]

    def wait_until_heard(self, view, turn, patience=20):
        with self._changed:
            assert self._changed.wait_for(lambda: self.heard.get(view, 0) >= turn, patience)


@pytest.fixture
def slide(made_server):
    with wsiweb.connect(made_server.url) as archive:
        yield archive.slides()[0].open()


@pytest.fixture
def frontend():
    return Frontend()


@pytest.fixture
def channel(slide, frontend):
    channel = Channel(Feed(slide), frontend.take)
    yield channel
    channel.close()


def message(turn, *want, cancel=(), view="v"):
    return {"view": view, "turn": turn, "want": [list(one) for one in want], "cancel": list(cancel)}


def test_what_is_wanted_comes(channel, frontend, slide):
    channel.receive(message(1, ("a", "manifest"), ("b", "tiles/0/0/0/1/2")))
    (_, _, manifest), tile = frontend.wait_for("a", "b")
    assert json.loads(manifest)["width"] == slide.size[0]
    assert tile == ("image/jpeg", None, tile[2])
    assert tile[2][:2] == b"\xff\xd8"


def test_answers_travel_together(channel, frontend, slide):
    columns, rows = slide.levels[0].grid
    places = [(column, row) for column in range(columns) for row in range(rows)]
    want = [(f"{x},{y}", f"tiles/0/0/0/{x}/{y}") for x, y in places]
    channel.receive(message(1, *want))
    frontend.wait_for(*(name for name, _ in want))
    assert len(frontend.messages) < len(want) / 2


def test_many_threads_may_bring_messages(channel, frontend):
    def want(number):
        for turn in range(1, 6):
            name = f"{number}-{turn}"
            channel.receive(message(turn, (name, f"tiles/0/0/1/{number % 4}/0"), view=str(number)))

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frontend.wait_for(*(f"{number}-{turn}" for number in range(8) for turn in range(1, 6)))
    assert frontend.heard == {str(number): 5 for number in range(8)}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("tiles/0/0/99/0/0", 404, "no level 99"),
        ("tiles/0/0/0/999/0", 404, "no such tile"),
        ("nonsense", 400, "makes no sense"),
        ("tiles/0/0/0/0/0?color=blue", 400, "color is source or srgb"),
        ("", 400, "makes no sense"),
    ],
)
def test_what_cannot_be_had_is_said_in_words(channel, frontend, path, status, says):
    channel.receive(message(1, ("a", path), ("b", "tiles/0/0/0/0/0")))
    (media_type, refusal, data), good = frontend.wait_for("a", "b")
    assert (media_type, data) == ("", b"")
    assert refusal["status"] == status
    assert says in refusal["words"]
    assert good[1] is None


def test_a_path_that_is_no_text_is_refused(channel, frontend):
    channel.receive(message(1, ("a", 7), ("b", None)))
    for _, refusal, _ in frontend.wait_for("a", "b"):
        assert refusal["status"] == 400


@pytest.mark.parametrize("odd", [None, "want", 7, {}, {"want": []}, {"method": "update"}, [1]])
def test_other_messages_are_left_alone(channel, frontend, odd):
    channel.receive(odd)
    channel.receive(message(1, ("a", "manifest")))
    frontend.wait_for("a")


class Slow:
    """A feed that answers when it is told to."""

    def __init__(self):
        self.asked = []
        self.cancelled = []
        self.go = threading.Event()

    async def get(self, path):
        import asyncio

        from wsiweb.viewer.resource import as_text

        self.asked.append(path)
        try:
            while not self.go.is_set():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled.append(path)
            raise
        return as_text(path)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def slow_channel(slow, frontend):
    channel = Channel(slow, frontend.take)
    yield channel
    channel.close()


def test_a_turn_is_heard_before_anything_is_answered(slow_channel, frontend):
    slow_channel.receive(message(3, ("a", "one")))
    frontend.wait_until_heard("v", 3)
    assert frontend.answers == {}


def until(condition, patience=10):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_cancelled_is_given_up_and_not_answered(slow_channel, slow, frontend):
    slow_channel.receive(message(1, ("a", "one"), ("b", "two")))
    until(lambda: len(slow.asked) == 2)
    slow_channel.receive(message(2, cancel=["a", "never wanted"]))
    until(lambda: slow.cancelled == ["one"])
    slow.go.set()
    frontend.wait_for("b")
    assert "a" not in frontend.answers


def test_what_is_wanted_again_is_asked_once(slow_channel, slow, frontend):
    slow_channel.receive(message(1, ("a", "one")))
    slow_channel.receive(message(2, ("a", "one")))
    frontend.wait_until_heard("v", 2)
    slow.go.set()
    frontend.wait_for("a")
    assert slow.asked == ["one"]


def test_what_was_cancelled_may_be_wanted_again(slow_channel, slow, frontend):
    slow_channel.receive(message(1, ("a", "one")))
    slow_channel.receive({**message(2, ("a", "one")), "cancel": ["a"]})
    frontend.wait_until_heard("v", 2)
    slow.go.set()
    frontend.wait_for("a")


def test_a_closed_channel_gives_up_and_says_no_more(slow_channel, slow, frontend):
    slow_channel.receive(message(1, ("a", "one")))
    until(lambda: slow.asked)
    slow_channel.close()
    until(lambda: slow.cancelled)
    slow.go.set()
    said = len(frontend.messages)
    slow_channel.receive(message(2, ("b", "two")))
    slow_channel.close()
    time.sleep(0.1)
    assert len(frontend.messages) == said


def test_too_much_at_once_is_refused_and_the_rest_goes_on(slow_channel, slow, frontend):
    slow_channel.receive(message(1, *((str(number), str(number)) for number in range(600))))
    (_, refusal, _) = frontend.wait_for("599")[0]
    assert refusal["status"] == 429
    slow.go.set()
    assert frontend.wait_for("0")[0][1] is None


def test_a_lost_other_end_does_not_stop_the_loop(slide):
    def lost(message, buffers):
        raise RuntimeError("the kernel ends")

    channel = Channel(Feed(slide), lost)
    channel.receive(message(1, ("a", "manifest")))
    time.sleep(0.2)
    channel.close()
    assert slide.read_region((0, 0), 0, (10, 10)).shape == (10, 10, 3)


def test_an_error_of_ours_is_an_answer_too(frontend, caplog):
    class Broken:
        async def get(self, path):
            raise KeyError(path)

    channel = Channel(Broken(), frontend.take)
    channel.receive(message(1, ("a", "manifest")))
    (_, refusal, _) = frontend.wait_for("a")[0]
    assert refusal["status"] == 500
    assert "could not be answered" in caplog.text
    channel.close()


def test_an_archive_that_is_gone_is_said_in_words(made_folder, frontend):
    from wsiweb.server import serve

    with serve(made_folder) as server:
        archive = wsiweb.connect(server.url, settings=wsiweb.Settings(retries=0))
        slide = archive.slides()[0].open()
    with archive:
        channel = Channel(Feed(slide), frontend.take)
        channel.receive(message(1, ("a", "tiles/0/0/0/0/0")))
        (_, refusal, _) = frontend.wait_for("a")[0]
        assert refusal["status"] == 502
        channel.close()


def test_a_second_of_panning_is_answered_in_time(channel, frontend, slide):
    """Some 30 tiles are in view, so this is three of them a second."""
    columns, rows = slide.levels[0].grid
    want = [
        (f"{turn}-{x}-{y}", f"tiles/0/0/0/{x}/{y}")
        for turn in range(6)
        for x in range(columns)
        for y in range(rows)
    ]
    began = time.monotonic()
    for turn in range(0, len(want), 30):
        channel.receive(message(turn + 1, *want[turn : turn + 30]))
    frontend.wait_for(*(name for name, _ in want))
    assert len(want) / (time.monotonic() - began) > 100
