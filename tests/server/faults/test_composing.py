"""Several faults, chance, and the doors to them."""

from __future__ import annotations

import contextlib
import http.client
import logging
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from server.faults.asking import FAILED, REFERENCED, Bad, another, uids
from server.making import ask, dicom

from wsiweb.cli import main
from wsiweb.server import create_app, serve
from wsiweb.server.faults import FAULTS, fault, with_faults

FIRST = dicom("1.1")


def test_which_of_the_requests_are_befallen(bad):
    assert bad("busy:every=3").statuses(7) == [200, 200, 503, 200, 200, 503, 200]
    assert bad("busy:after=2,times=2").statuses(6) == [200, 200, 503, 503, 200, 200]
    assert bad("busy:after=1,every=2,times=1").statuses(6) == [200, 200, 503, 200, 200, 200]
    assert bad("busy:times=0").statuses(2) == [200, 200]
    assert bad("busy:on=store").statuses(2) == [200, 200]


def test_chance_is_the_same_in_each_run(bad):
    runs = [bad("busy:rate=0.5,seed=7").statuses(40) for _ in range(2)]
    assert runs[0] == runs[1]
    assert 8 < runs[0].count(503) < 32
    assert bad("busy:rate=0.5,seed=8").statuses(40) != runs[0]
    assert bad("busy:rate=0").statuses(3) == [200] * 3
    assert bad("busy:rate=0.5,times=3,seed=7").statuses(40).count(503) == 3


def test_two_chances_are_not_one(bad):
    """Else these would strike the same requests, and the inner one would never be seen."""
    archive = bad("no-content-type:rate=0.5,seed=1", "charset:rate=0.5,seed=1")
    plain = "application/dicom+json"
    found = {archive.get("/studies").headers.get("content-type") for _ in range(40)}
    assert found == {None, plain, f"{plain}; charset=utf-8"}


def test_the_first_fault_is_nearest_to_the_client(bad):
    archive = bad("busy:every=2", "too-many")
    assert archive.statuses(4) == [429, 503, 429, 503]  # the second counts what reaches it


def test_a_lie_in_xml_that_never_arrives(bad):
    archive = bad("truncated:keep=30,times=1", "xml", "liar-409")
    with pytest.raises(http.client.IncompleteRead):
        archive.post(FIRST)
    assert archive.held == {"1.1": FIRST}
    answer = archive.post(FIRST)
    assert (answer.status, answer.headers["content-type"]) == (409, "application/dicom+xml")
    assert b'keyword="FailedSOPSequence"' in answer.body


def test_faults_of_the_way_and_of_the_archive(bad):
    archive = bad("crash-after-store:times=1", "stale-duplicate", "charset")
    with pytest.raises(ConnectionError):
        archive.post(FIRST)
    answer = archive.post(another("1.1"))
    assert (answer.status, uids(answer, REFERENCED)) == (200, ["1.1"])
    assert "charset" in answer.headers["content-type"]
    assert archive.held == {"1.1": FIRST}


def test_the_questions_of_faults_are_not_befallen(bad):
    """`duplicate` asks what is there: that counts as no request, and is not refused."""
    archive = bad("duplicate", "busy:on=search", "expired:lasts=2")
    assert [archive.post(FIRST).status for _ in range(3)] == [200, 409, 401]


def test_faults_are_values_and_their_memory_is_not(bad):
    once = fault("busy", times=1)
    assert once == fault("busy", times=1)
    assert hash(once) == hash(fault("busy", times=1))
    assert [bad(once).statuses(2) for _ in range(2)] == [[503, 200]] * 2


def test_many_at_once(bad):
    archive = bad("busy:every=2,on=store", "dropped:every=5,on=store", "late-answer:seconds=0.05")

    def send(number):
        for _ in range(12):
            try:
                if archive.post(dicom(f"1.{number}")).status == 200:
                    return True
            except ConnectionError:
                continue
        return False

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(send, range(24)))
    assert archive.held == {f"1.{number}": dicom(f"1.{number}") for number in range(24)}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_leaves_whole_objects_or_none(bad, name):
    """Whatever else it does, what the folder holds is what was sent."""
    archive = bad(name)
    with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
        archive.post(FIRST, dicom("1.2"))
    sent = {"1.1": FIRST, "1.2": dicom("1.2")}
    assert archive.held in ({}, sent)


class _Any:
    """One server for any faults, and what it logs."""

    def __init__(self, folder):
        self.inner = self.app = create_app(folder, stow=True)
        self.server = serve(app=self)
        self.archive = Bad(self.server.url, folder)
        self.logged = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.logged.append(record.getMessage())

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def any_faults(tmp_path_factory):
    one = _Any(tmp_path_factory.mktemp("any"))
    logging.getLogger("uvicorn.error").addHandler(one.handler)
    with one.server:
        yield one
    logging.getLogger("uvicorn.error").removeHandler(one.handler)
    one.inner.state.store.close()


_QUICK = {"slow": "slow:seconds=0", "late-answer": "late-answer:seconds=0"}


@settings(max_examples=150)
@given(st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=4))
@example(["liar-409", "dropped"])
@example(["xml", "in-a-list"])
@example(["no-bulk", "short-answer"])
@example(["empty-sequences", "truncated"])
@example(["duplicate", "crash-after-store"])
def test_any_faults_go_together(any_faults, names):
    """Each request is answered or hung up on, nothing fails, and only what was sent is held."""
    any_faults.app = with_faults(any_faults.inner, [_QUICK.get(name, name) for name in names])
    archive, sent = any_faults.archive, {"1.1": FIRST, "1.2": dicom("1.2")}
    for act in (
        lambda: archive.post(*sent.values()),
        lambda: archive.get("/instances"),
        lambda: archive.get("/studies/1.2.3/metadata"),
    ):
        with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
            status = act().status
            assert status < 500 or status in {500, 503} & _meant(names), names
    assert archive.held in ({}, sent)
    assert any_faults.logged == []


def _meant(names):
    return {500 for name in names if name == "failing"} | {503 for name in names if name == "busy"}


# Personalities ------------------------------------------------------------------------------------


def test_dcmjs(bad):
    archive = bad("dcmjs")
    for body in (FIRST, another("1.1")):
        answer = archive.post(body)
        assert (answer.status, answer.body) == (200, b"success")
    assert archive.held == {"1.1": FIRST}


def test_google(bad):
    archive = bad("google")
    assert archive.get("/instances").status == 204
    assert archive.post(FIRST).headers["content-type"] == "application/dicom+xml"
    json = {"Accept": "application/dicom+json"}
    assert archive.post(FIRST, **json).status == 200
    answer = archive.post(another("1.1"), **json)
    assert (answer.status, uids(answer, FAILED)) == (409, [("1.1", 272)])
    assert archive.get("/instances?includefield=AvailableTransferSyntaxUID").status == 400


def test_azure(bad):
    archive = bad("azure")
    assert archive.post(FIRST).status == 200
    answer = archive.post(FIRST, b"garbage", dicom("1.2", study="9"), path="/studies/1.2.3")
    assert answer.status == 409
    assert uids(answer, FAILED) == [("1.2", 43265), ("1.1", 45070), (None, 43264)]
    assert archive.get("/instances?SOPInstanceUID=1.9").status == 204


def test_dcm4chee(bad):
    archive = bad("dcm4chee")
    found = [archive.post(dicom(f"1.{number}")).status for number in range(40)]
    assert set(found) == {200, 409}
    assert len(archive.held) == 40
    assert len(archive.get("/instances?SOPInstanceUID=1.2").json) == 40


# The doors ----------------------------------------------------------------------------------------


def test_an_app_of_ones_own_has_faults_too(tmp_path):
    inner = create_app(tmp_path)
    for app, faults in (
        (with_faults(inner, "busy"), ()),
        (inner, [fault("busy")]),
        (inner, "busy"),
    ):
        with serve(app=app, faults=faults) as server:
            assert ask(server.url, "/studies").status == 503
    inner.state.store.close()


def test_what_is_no_fault_starts_no_server(tmp_path):
    with pytest.raises(ValueError, match="Did you mean busy"):
        serve(tmp_path, faults=["bsy"])


def test_the_command_lists_and_refuses_faults(tmp_path):
    run = CliRunner().invoke
    listed = run(main, ["serve", "--faults"])
    assert listed.exit_code == 0
    assert "crash-after-store  Stores" in listed.output
    refused = run(main, ["serve", str(tmp_path), "--fault", "bsy"])
    assert refused.exit_code == 1
    assert "Did you mean busy?" in refused.output
    assert "--faults" in run(main, ["serve", "--help"]).output


def test_the_command_serves_badly(tmp_path):
    command = [sys.executable, "-m", "wsiweb", "serve", str(tmp_path), "--port", "0", "--stow"]
    more = ["--fault", "busy:times=1", "--fault", "orthanc-1.10"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, *more], **pipes) as process:
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        assert process.stdout.readline() == "A bad archive: busy:times=1 orthanc-1.10\n"
        assert [ask(url, "/studies").status for _ in range(2)] == [503, 200]
        assert ask(url, "/studies", "POST", b"", Content_Type="application/dicom").status == 415
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
