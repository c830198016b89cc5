"""Archives to browse, and pages that look at them."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

import pytest
from browse.paging import Page
from server.making import dicom, element

from wsiweb import synthetic
from wsiweb.browse import serve


def tiny(folder, number, *, patient="P", name="Case", date="20260101", description="", **more):
    """Write a study of a single pixel or two; of no slide that could be opened."""
    study = f"1.2.{number}"
    folder.mkdir(exist_ok=True)
    data = dicom(
        f"1.9.{number}",
        study=study,
        series=f"{study}.1",
        x00080020=element(0x00080020, "DA", date),
        x00080050=element(0x00080050, "SH", more.get("accession", f"A{number}")),
        x00081030=element(0x00081030, "LO", description),
        x00100010=element(0x00100010, "PN", name),
        x00100020=element(0x00100020, "LO", patient),
    )
    (folder / f"{number}.dcm").write_bytes(data)
    return study


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folders for what is kept, that hold nothing yet."""
    for what in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{what}_HOME", str(tmp_path / what.lower()))
    for name in ("WSIWEB_TOKEN", "WSIWEB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def browse(home):
    """Start the app, and open its page: ``browse(target, ...)``."""
    with ExitStack() as stack:

        def start(*targets, page="page1", **options):
            server = stack.enter_context(serve([_text(one) for one in targets], **options))
            return Page(server, page)

        yield start


def _text(target):
    return target if isinstance(target, (str, tuple)) else str(target)


@pytest.fixture(scope="session")
def slides(tmp_path_factory):
    """Two slides of one study, of 900 x 700 and 600 x 500 px, in a folder."""
    folder = tmp_path_factory.mktemp("slides")
    for number, size in ((1, (900, 700)), (2, (600, 500))):
        synthetic.write_slide(
            folder / str(number),
            *size,
            seed=number,
            patient_id="P1",
            patient_name="Doe^Jane",
            accession_number="ACC-7",
            container_id=f"S26-{number}",
        )
    return folder


@pytest.fixture
def own_slides(slides, home):
    """The same in a folder of the test's own."""
    return shutil.copytree(slides, home / "own")
