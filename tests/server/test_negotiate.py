from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.making import EXPLICIT, JPEG

from wsiweb.errors import ProtocolError
from wsiweb.server.negotiate import choose_frames, choose_one, wants_json, wants_multipart
from wsiweb.wire.media import TRANSFER_SYNTAXES, frame_accepts

_RELATED = "multipart/related; type="
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_OCTETS = "application/octet-stream"
_J2K = "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize(
    ("accept", "stored", "answer"),
    [
        # (multipart, media type, decoded), or None for 406
        ("", JPEG, (True, _OCTETS, True)),
        ("*/*", JPEG, (True, _OCTETS, True)),
        ("*/*; transfer-syntax=*", JPEG, (True, "image/jpeg", False)),
        (f'{_RELATED}"{_OCTETS}"', JPEG, (True, _OCTETS, True)),
        (f'{_RELATED}"{_OCTETS}"; transfer-syntax=*', JPEG, (True, "image/jpeg", False)),
        (f"{_RELATED}{_OCTETS}; transfer-syntax={JPEG}", JPEG, (True, "image/jpeg", False)),
        (f'{_RELATED}"image/jpeg"; transfer-syntax={JPEG}', JPEG, (True, "image/jpeg", False)),
        (f'{_RELATED}"image/jpeg"', JPEG, (True, "image/jpeg", False)),
        (f'{_RELATED}"image/*"', JPEG, (True, "image/jpeg", False)),
        ("image/jpeg", JPEG, (False, "image/jpeg", False)),
        (_OCTETS, JPEG, (False, _OCTETS, True)),
        (_OCTETS, EXPLICIT, (False, _OCTETS, False)),
        ("*/*", EXPLICIT, (True, _OCTETS, False)),
        ("*/*", _BIG_ENDIAN, (True, _OCTETS, True)),
        (f'{_RELATED}"image/jp2"', _J2K, (True, "image/jp2", False)),
        (f'{_RELATED}"image/jpeg"', _J2K, None),
        (f'{_RELATED}"image/jpeg"; transfer-syntax={_J2K}', JPEG, None),
        (f'{_RELATED}"{_OCTETS}"; transfer-syntax={_J2K}', JPEG, None),
        (f'{_RELATED}"{_OCTETS}"; transfer-syntax={EXPLICIT}', JPEG, (True, _OCTETS, True)),
        ("image/png", JPEG, None),
        ("text/html", JPEG, None),
        ("image/jpeg", EXPLICIT, None),
        (f'image/png, {_RELATED}"image/jpeg";q=0.5, */*;q=0.1', JPEG, (True, "image/jpeg", False)),
        ("*/*", "1.2.999", None),
        ("*/*; transfer-syntax=*", "1.2.999", (True, _OCTETS, False)),
    ],
)  # fmt: skip
def test_frames(accept, stored, answer):
    found = choose_frames(accept, stored, single=True)
    assert (found and (found.multipart, found.media_type, found.decoded)) == answer


def test_several_frames_do_not_go_alone():
    assert choose_frames("image/jpeg", JPEG, single=False) is None
    assert choose_frames(_OCTETS, JPEG, single=False) is None


@pytest.mark.parametrize("stored", TRANSFER_SYNTAXES)
def test_every_step_of_our_own_clients_ladder_is_answered(stored):
    answers = [
        choose_frames(accept, stored, single=False) for accept in frame_accepts(stored).values()
    ]
    assert all(answers)
    assert answers[0] is not None
    assert not answers[0].decoded
    assert answers[0].transfer_syntax == stored


@pytest.mark.parametrize(
    ("accept", "stored", "answer"),
    [
        ("", None, True),
        ("*/*", JPEG, True),
        ('multipart/related; type="application/dicom"', JPEG, True),
        ("multipart/related", JPEG, True),
        ("application/dicom", JPEG, False),
        ("application/dicom; transfer-syntax=*", JPEG, False),
        (f"application/dicom; transfer-syntax={EXPLICIT}", JPEG, None),
        ('multipart/related; type="application/dicom+xml"', JPEG, None),
        ("text/html, application/*;q=0.2", JPEG, False),
    ],
)
def test_objects(accept, stored, answer):
    assert wants_multipart(accept, "application/dicom", stored) is answer


def test_metadata_and_pictures():
    assert wants_json("")
    assert wants_json("application/json")
    assert wants_json("text/html, application/dicom+json;q=0.1")
    assert not wants_json('multipart/related; type="application/dicom+xml"')
    offered = ("image/jpeg", "image/png")
    assert choose_one("image/png, */*;q=0.5", offered) == "image/png"
    assert choose_one("image/*", offered) == "image/jpeg"
    assert choose_one("image/gif", offered) is None


@given(st.text(max_size=80), st.sampled_from(sorted(TRANSFER_SYNTAXES)), st.booleans())
def test_any_header_gets_an_answer_or_our_error(accept, stored, single):
    with contextlib.suppress(ProtocolError):
        choose_frames(accept, stored, single=single)
        wants_multipart(accept, "application/dicom", stored)
