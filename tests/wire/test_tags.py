from __future__ import annotations

import subprocess
import sys
import time

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.wire import tags


def test_nothing_is_no_keyword():
    with pytest.raises(ValueError, match="no attribute ''"):
        tags.tag_of("")


def test_the_table_agrees_with_pydicom():
    for keyword, tag in tags._TAGS.items():
        assert pydicom.datadict.tag_for_keyword(keyword) == int(tag, 16), keyword
        assert tags.keyword_of(tag) == keyword


def test_keywords_beyond_the_table_and_tags():
    assert tags.tag_of("SpecimenUID") == "00400554"
    assert tags.keyword_of("00400554") == "SpecimenUID"
    assert tags.tag_of("0040055a") == "0040055A"
    assert tags.keyword_of("00091001") == "00091001"
    with pytest.raises(ValueError, match="PatientID"):
        tags.tag_of("PatientId")


def test_the_table_alone_does_not_wait_for_the_dictionary():
    code = (
        "import sys; from wsiweb.wire.tags import keyword_of, tag_of;"
        "keyword_of(tag_of('PatientID')); assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text(max_size=20))
def test_any_text_is_a_tag_or_a_value_error(text):
    assert isinstance(tags.keyword_of(text), str)
    if tags.is_tag(text):
        assert tags.tag_of(text) == text.upper()


def test_an_absurd_keyword_is_refused_at_once_and_shortly():
    began = time.thread_time()
    with pytest.raises(ValueError, match="no attribute") as caught:
        tags.tag_of("Sequence" * 100_000)
    assert len(str(caught.value)) < 300
    assert time.thread_time() - began < 1
