"""What holds for results of every kind: whose they are, in which letters, under which UIDs."""

from __future__ import annotations

import contextlib
import hashlib

import pydicom
import pytest
from results.about import headers_of, objects_in, source_of
from results.every_kind import KINDS, TERM, make
from results.masks.sized import sized, sized_headers

from wsiweb.results.objects import Objects

SIZE = (90, 70)


@pytest.fixture
def latin(tmp_path):
    """Files of a slide in Latin-1, as bytes of which archives have it."""
    for header in sized_headers(SIZE, (1, 2)):
        header.SpecificCharacterSet = "ISO_IR 100"
        header.PatientName = "Müller^Jörg"
        header.IssuerOfPatientID = "Universität"
        header.SpecimenDescriptionSequence[0].SpecimenShortDescription = "Gewebe der Brüste"
        header.save_as(tmp_path / f"{header.SOPInstanceUID}.dcm")
    return headers_of(sorted(tmp_path.glob("*.dcm")))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_about_the_patient_and_the_specimen_of_the_slide(latin, tmp_path, kind):
    source = source_of(latin)
    slide = latin[0]
    made = make(kind, source, objects_in(tmp_path / "made", source))
    results = [pydicom.dcmread(one.path) for one in made]
    for result in results:
        assert result.SpecificCharacterSet == "ISO_IR 192"
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "IssuerOfPatientID"):
            assert result[keyword].value == slide[keyword].value, keyword
        if result.Modality != "SR":  # its specimen is that of its subject, tested where it is
            assert result.ContainerIdentifier == slide.ContainerIdentifier
            (specimen,) = result.SpecimenDescriptionSequence
            (own,) = slide.SpecimenDescriptionSequence
            assert specimen.SpecimenUID == own.SpecimenUID
            assert specimen.SpecimenShortDescription == "Gewebe der Brüste"
            if kind != "annotations 2D":  # which refer to the image instead
                assert result.FrameOfReferenceUID == slide.FrameOfReferenceUID
    taken = {one.get(key) for one in latin for key in ("SOPInstanceUID", "SeriesInstanceUID")}
    taken |= {one.get("PyramidUID") for one in latin}
    for key in ("SOPInstanceUID", "SeriesInstanceUID", "PyramidUID"):
        assert not {one.get(key) for one in results if key in one} & taken, key
    assert len({one.SeriesInstanceUID for one in results}) == 1
    assert len({one.get("PyramidUID") for one in results}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_latin_1_lacks_are_written(latin, tmp_path, kind):
    source = source_of(latin)
    made = make(kind, source, objects_in(tmp_path / "made", source))
    for one in made:
        told = str(pydicom.dcmread(one.path, stop_before_pixels=True))
        assert TERM[2] in told
        assert "Tumor-Wahrscheinlichkeit ≥ 0,5" in told  # of the session
        assert "??" not in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_uid_means_the_same_bytes(tmp_path, kind):
    source = sized(SIZE, (1, 2))
    digests = {}
    for place in ("one", "two"):
        for one in make(kind, source, objects_in(tmp_path / place, source, deterministic=True)):
            digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
            digests.setdefault(one.instance_uid, []).append(digest)
    assert [len(found) for found in digests.values()] == [2] * len(digests)
    assert all(len(set(found)) == 1 for found in digests.values())


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_have_no_sign(tmp_path, kind):
    source = sized(SIZE, (1, 2), (-0.0, -1, -0.0, -1, -0.0, -0.0))
    for one in make(kind, source, objects_in(tmp_path / "made", source)):
        result = pydicom.dcmread(one.path)
        if "ImageOrientationSlide" in result:
            cosines = [str(cosine) for cosine in result.ImageOrientationSlide]
            assert [float(text) for text in cosines] == [0, -1, 0, -1, 0, 0]
            assert not any(text.startswith("-0") for text in cosines), cosines


class Busy(Objects):
    """Another thread adds to the session as soon as a maker has written."""

    others = 0

    @contextlib.contextmanager
    def together(self):
        with super().together() as joint:
            yield joint
        if not self.others:
            self.others += 1
            with self.drafts("report") as (draft,):
                draft.path.write_text("of another thread")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_returned_is_what_was_made_whoever_adds_meanwhile(tmp_path, kind):
    source = sized(SIZE, (1, 2))
    plain = objects_in(tmp_path, source)
    objects = Busy(plain.folder, plain.maker, {})
    made = make(kind, source, objects)
    assert objects.others == 1
    assert not [one for one in made if one.path.read_bytes() == b"of another thread"]
    assert len(made) == len(objects.made) - objects.others
