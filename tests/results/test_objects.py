from __future__ import annotations

import datetime
import threading

import pytest
from results.about import objects_in

from wsiweb.results.identity import random_uid
from wsiweb.results.objects import Maker, Objects, Series

NOON = datetime.datetime(2026, 3, 4, 12)  # noqa: DTZ001 - users leave the time zone out


def objects(folder, existing=None, **changes):
    values = {
        "study_uid": "1.2",
        "source_series_uid": "1.2.3",
        "name": "tumour",
        "created": NOON,
        "algorithm": None,
        "creator": "",
        "deterministic": False,
    }
    return Objects(folder, Maker(**(values | changes)), existing or {})


def write(made, kind, count=1, *, content="content", apart=False):
    with made.drafts(kind, count, apart=apart) as drafts:
        for draft in drafts:
            draft.path.write_text(
                f"{draft.identity.instance_uid} {content} {draft.identity.instance_uid}"
            )
    assert drafts.made == made.made[-count:]
    return drafts.made


def test_numbers_have_no_gaps_and_one_series_for_each_kind(tmp_path):
    made = objects(tmp_path)
    one, two, other = *write(made, "annotations", 2), *write(made, "report")
    assert (one.instance_number, two.instance_number, other.instance_number) == (1, 2, 1)
    assert one.series_uid == two.series_uid != other.series_uid
    (three,) = write(made, "annotations")
    assert three.instance_number == 3
    assert made.made == (one, two, other, three)
    assert all(each.path.stat().st_size == each.size for each in made.made)


def test_what_fails_leaves_nothing_and_no_gap(tmp_path):
    made = objects(tmp_path)

    def fail(drafts):
        drafts[0].path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), made.drafts("report", 2) as drafts:
        fail(drafts)
    assert list(tmp_path.iterdir()) == []
    assert made.made == ()
    assert write(made, "report")[0].instance_number == 1


def test_a_draft_that_was_not_written_fails_and_leaves_nothing(tmp_path):
    made = objects(tmp_path)
    with pytest.raises(FileNotFoundError), made.drafts("report", 2) as drafts:
        drafts[0].path.write_text("one of two")
    assert list(tmp_path.iterdir()) == []
    assert made.made == ()


def test_what_wants_a_series_of_its_own_gets_one(tmp_path):
    made = objects(tmp_path)
    first, second = (
        write(made, "segmentation", 3, apart=True),
        write(made, "segmentation", 2, apart=True),
    )
    assert {one.series_uid for one in first}.isdisjoint(one.series_uid for one in second)
    assert [one.instance_number for one in (*first, *second)] == [1, 2, 3, 1, 2]
    assert len({one.path for one in made.made}) == 5


def test_a_series_that_is_joined_is_numbered_on(tmp_path):
    existing = {"report": Series("1.2.9", 44, NOON, 6)}
    (one,) = write(objects(tmp_path, existing), "report")
    assert (one.series_uid, one.instance_number) == ("1.2.9", 7)


def test_a_series_is_not_begun_after_its_objects(tmp_path):
    later = NOON.replace(tzinfo=datetime.UTC) + datetime.timedelta(days=400)
    made = objects(tmp_path, {"report": Series("1.2.9", 44, later, 6)})
    with made.drafts("report") as (draft,):
        assert draft.identity.series_created == NOON
        draft.path.write_text("")


def test_deterministic_objects_are_the_same_when_repeated(tmp_path):
    first = write(objects(tmp_path / "a", deterministic=True), "report", 2)
    second = write(objects(tmp_path / "b", deterministic=True), "report", 2)
    assert [one.instance_uid for one in first] == [one.instance_uid for one in second]
    assert [one.series_uid for one in first] == [one.series_uid for one in second]
    for one, other in zip(first, second, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert one.path.read_text().split() == [one.instance_uid, "content", one.instance_uid]
    assert first[0].instance_uid != first[1].instance_uid or (
        first[0].path.read_bytes() == first[1].path.read_bytes()
    )


def test_another_content_has_another_uid(tmp_path):
    (one,) = write(objects(tmp_path / "a", deterministic=True), "report")
    (other,) = write(objects(tmp_path / "b", deterministic=True), "report", content="else")
    assert one.instance_uid != other.instance_uid


def test_another_name_or_kind_has_another_series(tmp_path):
    base = objects(tmp_path / "a", deterministic=True)
    named = objects(tmp_path / "b", deterministic=True, name="stroma")
    uids = [
        write(base, "report")[0].series_uid,
        write(base, "annotations")[0].series_uid,
        write(named, "report")[0].series_uid,
    ]
    assert len(set(uids)) == 3


def test_nothing_is_written_over(tmp_path):
    made = objects(tmp_path)

    def fill(drafts):
        for number, draft in enumerate(drafts, start=1):
            draft.path.write_text("ours")
            uid = draft.identity.instance_uid
            theirs = tmp_path / f"report-{number}-{uid}.dcm"
            if number == 2:
                theirs.write_text("theirs")

    with (
        pytest.raises(FileExistsError, match="is another file"),
        made.drafts("report", 2) as drafts,
    ):
        fill(drafts)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["theirs"]
    assert made.made == ()
    assert write(made, "report")[0].instance_number == 1


def test_several_kinds_are_kept_together(tmp_path):
    made = objects(tmp_path)
    with made.together() as joint:
        first = write(joint, "segmentation", 2, apart=True)
        (second,) = write(joint, "report")
        assert made.made == ()
        assert not any(one.path.exists() for one in (*first, second))
    assert made.made == (*first, second)
    assert all(one.path.stat().st_size == one.size for one in made.made)
    assert write(made, "report")[0].instance_number == 2


def test_several_of_a_kind_that_are_kept_together_are_numbered_on(tmp_path):
    made = objects(tmp_path)
    with made.together() as joint:
        numbers = [write(joint, "report")[0].instance_number for _ in range(3)]
    assert numbers == [1, 2, 3]


def fail_together(made, kinds):
    with made.together() as joint:
        for kind in kinds:
            write(joint, kind, apart=kind == "segmentation")
        raise ZeroDivisionError


def test_of_several_kinds_nothing_is_left_when_one_fails(tmp_path):
    made = objects(tmp_path)
    with pytest.raises(ZeroDivisionError):
        fail_together(made, ["segmentation", "report", "report"])
    assert list(tmp_path.iterdir()) == []
    assert made.made == ()
    with made.together() as joint:
        mask, report = write(joint, "segmentation", apart=True) + write(joint, "report")
    assert (mask.instance_number, report.instance_number) == (1, 1)


def test_folders_without_links_do_as_well(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    (one,) = write(objects(tmp_path), "report")
    assert [one.path] == list(tmp_path.iterdir())


def test_threads_take_turns(tmp_path):
    made = objects(tmp_path)
    threads = [threading.Thread(target=write, args=(made, "report")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.instance_number for one in made.made) == list(range(1, 21))


def test_random_uids_are_not_those_of_content(tmp_path):
    (one,) = write(objects(tmp_path), "report")
    assert one.path.read_text().startswith(one.instance_uid)
    assert len(one.instance_uid) == len(random_uid())


def test_the_shared_helper_makes_such_objects(tmp_path, made_folder):
    from results.about import source_of

    kept = objects_in(tmp_path, source_of(made_folder))
    assert write(kept, "image")[0].kind == "image"
