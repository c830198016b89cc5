from __future__ import annotations

import pickle

import pytest

import wsiweb
from wsiweb import errors


def _all_kinds(kind=errors.WsiwebError):
    yield kind
    for one in kind.__subclasses__():
        yield from _all_kinds(one)


def test_the_tree_is_what_the_docstring_draws_and_what_the_front_door_shows():
    names = {kind.__name__ for kind in _all_kinds() if kind.__module__ == "wsiweb.errors"}
    assert names == set(errors.__all__)
    for name in names:
        assert name in errors.__doc__
        assert getattr(wsiweb, name) is getattr(errors, name)


def test_errors_are_also_what_python_calls_them():
    assert issubclass(errors.Unreachable, ConnectionError)
    assert issubclass(errors.NotFound, LookupError)


def test_an_error_says_what_was_asked_and_what_came():
    error = errors.NotFound("No such slide.", url="http://a/studies/1", status=404, body="gone")
    assert str(error) == (
        "No such slide. [GET http://a/studies/1 answered 404] The archive says: gone"
    )


def test_a_long_answer_is_kept_to_an_excerpt():
    assert len(errors.ArchiveError("x", body="y" * 100_000).body) < 400


@pytest.mark.parametrize("kind", [k for k in _all_kinds() if issubclass(k, errors.ArchiveError)])
def test_errors_travel_between_processes(kind):
    error = kind("Words.", method="GET", url="http://a", status=500, body="b")
    if isinstance(error, errors.Busy):
        error.retry_after = 3.0
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__
