from __future__ import annotations

from server.faults.asking import FAILED, GARBAGE, OTHER, REFERENCED, another, uids
from server.making import dicom

FIRST = dicom("1.1")
TAKEN = another("1.1")
FOREIGN = dicom("1.9", study="1.9.9")


def test_the_liar_says_409_and_has_stored(bad):
    archive = bad("liar-409:times=2")
    answer = archive.post(FIRST, dicom("1.2"))
    assert (answer.status, uids(answer, FAILED)) == (409, [("1.1", 272), ("1.2", 272)])
    assert REFERENCED not in answer.json
    assert archive.held == {"1.1": FIRST, "1.2": dicom("1.2")}
    answer = archive.post(TAKEN, FIRST)  # what it does not lie about
    assert (answer.status, uids(answer, FAILED)) == (409, [("1.1", 273), ("1.1", 272)])
    assert archive.post(FIRST).status == 200


def test_the_liar_gives_another_reason(bad):
    assert uids(bad("liar-409:code=42865").post(FIRST), FAILED) == [("1.1", 42865)]


def test_partial_400(bad):
    archive = bad("partial-400")
    answer = archive.post(FIRST, GARBAGE, dicom("1.2"))
    assert (answer.status, uids(answer, REFERENCED)) == (400, ["1.1", "1.2"])
    assert FAILED not in answer.json
    assert OTHER not in answer.json
    assert sorted(archive.held) == ["1.1", "1.2"]
    assert archive.post(FIRST).status == 200
    assert archive.post(GARBAGE).status == 400
    assert archive.post(TAKEN).status == 409


def test_what_fails_is_nameless(bad):
    archive = bad("nameless:code=43264")
    answer = archive.post(FIRST, GARBAGE)
    assert (answer.status, uids(answer, FAILED)) == (202, [(None, 43264)])
    assert uids(answer, REFERENCED) == ["1.1"]
    assert OTHER not in answer.json
    assert archive.post(FIRST).status == 200


def test_the_wrong_study_has_other_codes(bad):
    for text, status, code in (
        ("wrong-study", 202, 272),
        ("wrong-study:code=43265,conflict=yes", 409, 43265),
    ):
        archive = bad(text)
        answer = archive.post(FIRST, FOREIGN, path="/studies/1.2.3")
        assert (answer.status, uids(answer, FAILED)) == (status, [("1.9", code)])
        assert uids(answer, REFERENCED) == ["1.1"]
        assert archive.held == {"1.1": FIRST}
        assert archive.post(FIRST, path="/studies/1.2.3").status == 200
        assert uids(archive.post(TAKEN), FAILED) == [("1.1", 273)]


def test_a_stale_duplicate_is_200_and_the_old_one_stays(bad):
    archive = bad("stale-duplicate")
    first = archive.post(FIRST)
    answer = archive.post(TAKEN)
    assert answer.status == 200
    assert answer.json[REFERENCED] == first.json[REFERENCED]
    assert FAILED not in answer.json
    assert archive.held == {"1.1": FIRST}
    answer = archive.post(TAKEN, dicom("1.2"), FOREIGN, GARBAGE, path="/studies/1.2.3")
    assert (answer.status, uids(answer, REFERENCED)) == (202, ["1.2", "1.1"])
    assert uids(answer, FAILED) == [("1.9", 43264)]
    assert archive.held == {"1.1": FIRST, "1.2": dicom("1.2")}


def test_a_duplicate_is_refused_even_if_it_is_equal(bad):
    archive = bad("duplicate")
    assert archive.post(FIRST).status == 200
    for again in (FIRST, TAKEN):
        answer = archive.post(again)
        assert (answer.status, uids(answer, FAILED)) == (409, [("1.1", 45070)])
    answer = archive.post(FIRST, dicom("1.2"))
    assert (answer.status, uids(answer, FAILED)) == (202, [("1.1", 45070)])
    assert uids(answer, REFERENCED) == ["1.2"]
    assert archive.held == {"1.1": FIRST, "1.2": dicom("1.2")}


def test_a_duplicate_is_refused_only_if_it_is_another(bad):
    archive = bad("duplicate:code=272,equal=no")
    for _ in range(2):
        answer = archive.post(FIRST)
        assert (answer.status, uids(answer, REFERENCED)) == (200, ["1.1"])
    answer = archive.post(TAKEN)
    assert (answer.status, uids(answer, FAILED)) == (409, [("1.1", 272)])
    assert archive.held == {"1.1": FIRST}


def test_empty_sequences(bad):
    archive = bad("empty-sequences")
    answer = archive.post(FIRST)
    assert answer.json[FAILED] == {"vr": "SQ"}
    assert uids(answer, REFERENCED) == ["1.1"]
    answer = archive.post(TAKEN)
    assert answer.json[REFERENCED] == {"vr": "SQ"}
    assert uids(answer, FAILED) == [("1.1", 273)]


def test_what_is_no_dicom_json_stays_as_it_is(bad):
    for name in ("liar-409", "stale-duplicate", "duplicate", "empty-sequences"):
        answer = bad(name).post(body=b"", Content_Type="text/plain")
        assert (answer.status, list(answer.json)) == (415, ["error"])
