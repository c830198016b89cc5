from __future__ import annotations

import pytest

from wsiweb import loop
from wsiweb.client.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, as_auth


def test_short_forms():
    assert as_auth(None) == NoAuth()
    assert as_auth(("me", "secret")) == BasicAuth("me", "secret")
    assert loop.run(as_auth("t0ken").headers()) == {"Authorization": "Bearer t0ken"}
    own = HeaderAuth({"X-Key": "k"})
    assert as_auth(own) is own


def test_basic_is_rfc_7617():
    headers = loop.run(BasicAuth("Aladdin", "open sesame").headers())
    assert headers == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


@pytest.mark.parametrize(
    "auth", [BasicAuth("me", "s3cret"), BearerAuth("s3cret"), HeaderAuth({"X-Key": "s3cret"})]
)
def test_secrets_are_in_no_repr(auth):
    assert "s3cret" not in repr(auth)
    assert "s3cret" not in str(auth)


@pytest.mark.parametrize("wrong", [3, ("a",), ("a", 1), {"user": "s3cret"}])
def test_a_wrong_form_is_named_without_repeating_it(wrong):
    with pytest.raises(ValueError, match="auth takes") as caught:
        as_auth(wrong)
    assert "s3cret" not in str(caught.value)


def test_headers_cannot_be_injected():
    with pytest.raises(ValueError, match="line break"):
        HeaderAuth({"X-Key": "a\r\nX-Other: b"})


def test_a_renewable_token_is_asked_for_when_first_needed_and_when_refused():
    tokens = iter(["one", "two"])
    auth = BearerAuth(lambda: next(tokens))
    assert loop.run(auth.headers()) == {"Authorization": "Bearer one"}
    assert loop.run(auth.headers()) == {"Authorization": "Bearer one"}
    assert loop.run(auth.refresh()) is True
    assert loop.run(auth.headers()) == {"Authorization": "Bearer two"}


def test_a_fixed_token_cannot_be_renewed():
    assert loop.run(BearerAuth("one").refresh()) is False
