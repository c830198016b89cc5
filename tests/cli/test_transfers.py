"""The commands that import, remove, download and copy: what they print, and how they end."""

from __future__ import annotations

import json

from outbox.boxes import files
from server.making import dicom, element

from wsiweb.server import serve


def there(folder):
    return sorted(path.name for path in folder.glob("[!.]*/*/*.dcm"))


def test_import_counts_what_came_of_each_file(call, home):
    files(home / "slides", 3)
    (home / "slides" / ".hidden").touch()
    (home / "slides" / "notes.txt").write_text("notes")
    said = call("import", "slides").output
    assert "3 added, 0 already there, 2 skipped, 0 failed." in said
    assert "slides/.hidden: it is hidden" in said
    assert "slides/notes.txt: it is not a DICOM file" in said
    assert "0 added, 3 already there, 2 skipped, 0 failed." in call("import", "slides").output
    assert "1.2.3" in call("studies", "local").output
    listed = json.loads(call("jobs", "list", "--json").stdout)
    assert [(one["kind"], one["state"]) for one in listed] == [("import", "stored")] * 2


def test_import_ends_with_1_if_anything_failed(call, home):
    files(home / "slides", 1)
    call("import", "slides", "--into", "archive")
    (home / "slides" / "1.dcm").write_bytes(dicom("1.9.1", shape=(8, 8)))
    (home / "slides" / "cut.dcm").write_bytes(dicom("1.9.2", shape=(30, 30))[:-100])
    said = call("import", "slides", "--into", "archive", status=1).output
    assert "0 added, 0 already there, 0 skipped, 2 failed." in said
    assert "another object with this UID is at" in said
    told = json.loads(call("import", "slides", "--into", "archive", "--json", status=1).stdout)
    assert told["counts"] == {"added": 0, "already_there": 0, "skipped": 0, "failed": 2}
    assert {one["instance_uid"] for one in told["failed"]} == {"1.9.1", ""}
    assert there(home / "archive") == ["1.9.1.dcm"]


def test_import_can_link(call, home):
    (path,) = files(home / "slides", 1)
    call("import", "slides", "--into", "archive", "--link")
    assert path.samefile(home / "archive" / "1.2.3" / "1.2.3.4" / "1.9.1.dcm")


def test_remove_asks_and_says_what_it_is_about(call, home):
    name = element(0x00100010, "PN", "Doe^Jane")
    files(home / "slides", 1)
    (home / "slides" / "1.dcm").write_bytes(dicom("1.9.1", x00100010=name))
    call("import", "slides")
    said = call("remove", "1.2.3", status=1).output
    assert "Delete study 1.2.3 (Doe^Jane) from file://" in said
    assert "1.2.3" in call("studies", "local").output
    assert "1 object deleted." in call("remove", "1.2.3", "--yes").output
    assert "has no study 1.2.3" in call("remove", "1.2.3", "--yes", status=1).output
    assert (home / "slides" / "1.dcm").exists()


def test_remove_asks_only_about_what_it_can_delete(call, home):
    files(home / "slides", 1)
    call("import", "slides")
    for words in (("*",), ("1.2.3", "--series", "?"), ("1.2.7",), ("1.2.3", "--series", "1.2.9")):
        said = call("remove", *words, status=1).output
        assert "Delete" not in said
        assert "is not a" in said or "has no s" in said
    assert "Delete" not in call("remove", "1.2.3", "--from", "slides", status=1).output


def test_remove_refuses_folders_of_the_users(call, home):
    files(home / "slides", 1)
    assert "are yours" in call("remove", "1.2.3", "--from", "slides", "--yes", status=1).output
    assert len(list((home / "slides").iterdir())) == 1


def test_download_fetches_the_rest(call, home):
    files(home / "slides", 3)
    with serve(home / "slides") as server:
        words = ("download", server.url, "--study", "1.2.3", "-o", "to")
        assert "3 fetched, 0 already there, 0 skipped, 0 failed." in call(*words).output
        (home / "to" / "1.2.3" / "1.2.3.4" / "1.9.2.dcm").unlink()
        told = json.loads(call(*words, "--json").stdout)
        assert told["counts"] == {"fetched": 1, "already_there": 2, "skipped": 0, "failed": 0}
        assert (
            "has no study 7"
            in call("download", server.url, "--study", "7", "-o", "x", status=1).output
        )
        assert "3 already there" in call(*words, "--verify").output
    assert there(home / "to") == ["1.9.1.dcm", "1.9.2.dcm", "1.9.3.dcm"]


def test_copy_between_servers_folders_and_names(call, home):
    files(home / "slides", 3)
    (home / "to").mkdir()
    with serve(home / "slides") as one, serve(home / "to", stow=True) as two:
        words = ("copy", one.url, two.url, "--study", "1.2.3")
        assert "3 copied, 0 already there, 0 skipped, 0 failed." in call(*words).output
        assert "0 copied, 3 already there" in call(*words).output
        call("archives", "add", "two", two.url)
        assert "3 copied" in call("copy", "two", "local", "--study", "1.2.3").output
        call("archives", "remove", "two")
    assert there(home / "to") == ["1.9.1.dcm", "1.9.2.dcm", "1.9.3.dcm"]
    assert "3 objects deleted" in call("remove", "1.2.3", "--yes").output


def test_copy_says_once_for_all_what_was_not_compared(call, home):
    files(home / "slides", 3)
    files(home / "to", 3)
    words = ("copy", "slides", "to", "--study", "1.2.3")
    said = call(*words, "--no-verify").output
    assert "0 copied, 3 already there, 0 skipped, 0 failed." in said
    assert said.count("not compared") == 1
    assert "3 objects: " in said
    told = json.loads(call(*words, "--no-verify", "--json").stdout)
    assert told["warnings"][0]["objects"] == 3
    assert "not compared" not in call(*words).output
    assert "not compared" not in call(*words, "--verify").output


def test_copy_of_a_study_named_twice(call, home):
    files(home / "slides", 3)
    (home / "to").mkdir()
    words = ("copy", "slides", "to", "--study", "1.2.3", "--study", "1.2.3")
    assert "3 copied, 0 already there, 0 skipped, 0 failed." in call(*words).output


def test_copy_never_gives_the_credentials_of_from_to_the_other(call, home):
    from faulty import Faulty

    from wsiweb.server import create_app

    files(home / "slides", 1)
    (home / "to").mkdir()
    one = Faulty(create_app(home / "slides"))
    two = Faulty(create_app(home / "to", stow=True))
    with serve(app=one) as source, serve(app=two) as target:
        words = ("copy", source.url, target.url, "--study", "1.2.3", "--user", "reader")
        call(*words, WSIWEB_PASSWORD="of the source", WSIWEB_TOKEN="of the source")
    assert all("authorization" in headers for _, _, headers in one.log)
    assert not any("authorization" in headers for _, _, headers in two.log)
    assert [method for method, _, _ in two.log].count("POST") == 1


def test_what_cannot_be_copied_is_named(call, home):
    files(home / "slides", 2)
    files(home / "to", 1)
    (home / "to" / "1.dcm").write_bytes(dicom("1.9.1", shape=(8, 8)))
    said = call("copy", "slides", "to", "--study", "1.2.3", status=1).output
    assert "1 copied, 0 already there, 0 skipped, 1 failed." in said
    assert "failed: 1.9.1: " in said
