from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wsiweb
from wsiweb import names
from wsiweb.client.auth import as_auth


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write the file that says what archives are called."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("WSIWEB_TOKEN", "WSIWEB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def write(text):
        path = names.config_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


def _headers(auth):
    return dict(asyncio.run(as_auth(auth).headers()))


LAB = names.NamedArchive(name="lab", url="https://pacs.lab/dicom-web", user="reader")

# The file ---------------------------------------------------------------------------------------


def test_without_a_file_nothing_has_a_name(config):
    assert names.known() == {}
    assert names.find("lab") is None


def test_added_found_removed(config):
    path = names.add(LAB)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = names.NamedArchive(
        name="other-1",
        url="https://x/y",
        store_user="writer",
        store_url="https://w/y",
        ca="system",
        headers={"X-Api-Key": "${KEY}", "X-Site": 'a "b" \\ ü'},
    )
    names.add(other)
    assert names.known() == {"lab": LAB, "other-1": other}
    assert names.find("lab") == LAB
    assert names.find("LAB") is None
    names.remove("lab")
    assert names.known() == {"other-1": other}


def test_what_else_stands_in_the_file_stays(config):
    path = config(
        """\
        # mine
        [first]  # the first
        url = "https://first/x"

        [first.headers]
        X-Site = "7"

        [ 'second' ]
        url = "https://second/x"
        # on second
        """
    )
    names.add(LAB)
    assert path.read_text().startswith("# mine\n[first]  # the first\n")
    assert "# on second" in path.read_text()
    names.remove("second")
    names.remove("first")
    assert path.read_text().startswith("# mine\n[lab]\n")
    config("# only this\n")
    names.add(LAB)
    assert path.read_text().startswith("# only this\n\n[lab]\n")


def test_a_file_that_a_link_leads_to_is_changed_there(config, tmp_path):
    path = config("")
    real = path.rename(tmp_path / "dotfiles.toml")
    path.symlink_to(real)
    names.add(LAB)
    assert path.is_symlink()
    assert "[lab]" in real.read_text()


def test_what_cannot_be_changed_safely_is_left_alone(config):
    path = config('lab.url = "https://x"\n[other]\nurl = "https://z"\n')
    before = path.read_text()
    with pytest.raises(ValueError, match="too intricate"):
        names.remove("lab")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\n[lab", "archives.toml: Expected"),
        ("lab = 3", "no table"),
        ("[lab]", "no url"),
        ("[lab]\nurl = 3", "is text on one line"),
        ("[lab]\nurl = 'relative/folder'", "a folder by its whole path"),
        ("[lab]\nurl = 'https://x'\npassword = 'y'", "password, .*secret does not belong"),
        ("[lab]\nurl = 'https://x'\nurls = 'y'", "urls, which is none of ca, headers"),
        ("[lab]\nurl = 'https://me:pw@x'", "Credentials do not belong"),
        ("[lab]\nurl = 'https://x'\nheaders = 'y'", "are a table"),
        ("[lab]\nurl = 'https://x'\nheaders = {Authorization = 'y'}", "sounds like a secret"),
        ("[lab]\nurl = 'https://x'\nheaders = {'X Y' = 'y'}", "which is none"),
        ("['a b']\nurl = 'https://x'", "is no name"),
        ("[a-b]\nurl = 'https://x'\n[A_b]\nurl = 'https://y'", "a-b and A_b are too much alike"),
    ],
)
def test_a_wrong_file_is_said_in_words(config, text, says):
    config(text)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        names.known()
    with pytest.raises(ValueError, match=r"archives\.toml"):
        wsiweb.connect("lab")


def test_a_name_is_given_once(config):
    names.add(LAB)
    with pytest.raises(ValueError, match=r"already \(https://pacs.lab/dicom-web\)"):
        names.add(names.NamedArchive(name="lab", url="https://x"))
    with pytest.raises(ValueError, match="too much alike"):
        names.add(names.NamedArchive(name="Lab", url="https://x"))
    with pytest.raises(ValueError, match="there are lab"):
        names.remove("x")
    assert names.known() == {"lab": LAB}


@given(
    st.text(st.characters(exclude_characters=":"), max_size=20).filter(str.isprintable),
    st.dictionaries(
        st.from_regex(r"X-[A-Z]{3}", fullmatch=True), st.text("a\"\\'#=[]é ", max_size=9)
    ),
)
def test_whatever_is_written_is_read_back(user, headers):
    from wsiweb.names.file import _parsed, _toml

    lines = ["[n]", 'url = "https://x"', f"user = {_toml(user)}", f"headers = {_toml(headers)}"]
    (read,) = _parsed("\n".join(lines)).values()
    assert (read.user, read.headers) == (user, headers)


# Getting in -------------------------------------------------------------------------------------


def test_a_password_of_its_own_goes_before_the_general_one(config, monkeypatch):
    archive = names.NamedArchive(name="lab-1", url="https://x", user="reader")
    with pytest.raises(ValueError, match=r"WSIWEB_PASSWORD_LAB_1.*keyring set wsiweb:lab-1 reader"):
        archive.auth()
    assert archive.auth(lambda user: f"asked of {user}") == ("reader", "asked of reader")
    monkeypatch.setenv("WSIWEB_PASSWORD", "general")
    assert archive.auth() == ("reader", "general")
    with pytest.raises(ValueError, match="no password"):
        archive.auth(general=False)
    monkeypatch.setenv("WSIWEB_PASSWORD_LAB_1", "own")
    assert archive.auth(general=False) == ("reader", "own")


def test_tokens(config, monkeypatch):
    archive = names.NamedArchive(name="lab", url="https://x")
    assert archive.auth() is None
    monkeypatch.setenv("WSIWEB_TOKEN", "general")
    assert archive.auth() == "general"
    assert archive.auth(general=False) is None
    assert archive.store_auth() is None  # the same as for reading
    monkeypatch.setenv("WSIWEB_TOKEN_LAB", "own")
    monkeypatch.setenv("WSIWEB_STORE_TOKEN_LAB", "to store")
    assert archive.auth() == "own"
    assert archive.store_auth() == "to store"


def test_headers_take_their_secrets_from_variables(config, monkeypatch):
    headers = {"X-Api-Key": "${LAB_KEY}", "X-Site": "7"}
    archive = names.NamedArchive(name="lab", url="https://x", headers=headers, user="u")
    monkeypatch.setenv("WSIWEB_PASSWORD_LAB", "p")
    with pytest.raises(ValueError, match="LAB_KEY, which is not set"):
        archive.auth()
    monkeypatch.setenv("LAB_KEY", "abc")
    sent = _headers(archive.auth())
    assert sent == {"Authorization": "Basic dTpw", "X-Api-Key": "abc", "X-Site": "7"}


def test_one_user_reads_and_another_stores(config, monkeypatch):
    archive = names.NamedArchive(name="lab", url="https://x", user="r", store_user="w")
    monkeypatch.setenv("WSIWEB_PASSWORD_LAB", "to read")
    monkeypatch.setenv("WSIWEB_STORE_PASSWORD_LAB", "to write")
    assert archive.auth() == ("r", "to read")
    assert archive.store_auth() == ("w", "to write")


def test_the_keyring_is_asked(config, tmp_path, monkeypatch):
    pytest.importorskip("keyring")
    code = """
        import keyring, keyring.backend
        from wsiweb import names

        class Ring(keyring.backend.KeyringBackend):
            priority = 1
            def get_password(self, service, user):
                return "kept" if (service, user) == ("wsiweb:lab", "reader") else None
            def set_password(self, *_): ...
            def delete_password(self, *_): ...

        archive = names.NamedArchive(name="lab", url="https://x", user="reader")
        keyring.set_keyring(Ring())
        print(archive.auth())
        from keyring.backends import fail
        keyring.set_keyring(fail.Keyring())
        print(archive.auth(lambda user: "asked"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WSIWEB_PASSWORD": ""} | {"PYTHONWARNINGS": "error"},
    )
    assert done.stdout == "('reader', 'kept')\n('reader', '')\n", done.stderr


# As a target ------------------------------------------------------------------------------------


def test_connect_understands_a_name(config, made_server, made_folder, made):
    names.add(names.NamedArchive(name="lab", url=made_server.url))
    names.add(names.NamedArchive(name="here", url=str(made_folder)))
    for name in ("lab", "here"):
        with wsiweb.connect(name) as archive:
            assert archive.studies()[0].study_uid == made.study_uid
            assert names.of_url(archive.url).name == name
    assert names.of_url("https://elsewhere") is None


def test_two_names_of_one_archive_are_not_guessed(config):
    names.add(LAB)
    names.add(names.NamedArchive(name="lab2", url=LAB.url, user="another"))
    assert names.of_url(LAB.url) is None


def test_a_name_brings_its_credentials_unless_others_are_given(config, monkeypatch):
    names.add(LAB)
    with pytest.raises(ValueError, match="WSIWEB_PASSWORD_LAB"):
        wsiweb.connect("lab")
    assert wsiweb.connect("lab", auth="token").url == LAB.url
    monkeypatch.setenv("WSIWEB_PASSWORD_LAB", "secret")
    archive = wsiweb.connect("lab")
    assert archive.url == LAB.url
    assert "secret" not in repr(archive) + repr(names.find("lab"))


def test_a_folder_of_the_same_name_is_said(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    assert wsiweb.connect("lab").url.startswith("file://")
    names.add(names.NamedArchive(name="lab", url="https://x/y"))
    with pytest.warns(UserWarning, match=r"the folder of that name is \./lab"):
        assert wsiweb.connect("lab").url == "https://x/y"
    assert wsiweb.connect("./lab").url.startswith("file://")
    assert wsiweb.connect(tmp_path / "lab").url.startswith("file://")


def test_a_word_that_is_neither_is_said(config):
    with pytest.raises(wsiweb.NotFound, match="no folder 'lab', and no archive of that name"):
        wsiweb.connect("lab")


def test_the_keyring_is_not_loaded_before_it_is_needed():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, wsiweb; print('keyring' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
