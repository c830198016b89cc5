from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.encaps import generate_frames
from server.making import EXPLICIT, JPEG, ask, dicom, element, encapsulated, item
from wsidicom import WsiDicom, WsiDicomWebClient

from wsiweb.server import serve
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.multipart import MultipartReader

_STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def path_of(dataset):
    return (
        f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )


def parts(answer):
    reader = MultipartReader(answer.headers["content-type"])
    return [part.body for part in [*reader.feed(answer.body), *reader.close()]]


@pytest.fixture(scope="session")
def slide(cmu_folder):
    """The instances of the real slide, as pydicom reads them."""
    return [pydicom.dcmread(file) for file in sorted(cmu_folder.glob("*.dcm"))]


@pytest.fixture(scope="session")
def odd(tmp_path_factory):
    """A folder of small instances of unusual kinds, served."""
    folder = tmp_path_factory.mktemp("odd")
    profile = element(0x00480105, "SQ", item(element(0x00282000, "OB", b"profile " * 300)))
    values = np.arange(8, dtype="<u2") * 1000
    files = {
        "1.1": dicom("1.1", x00480105=profile),
        "1.2": dicom(
            "1.2", bits=16, frames=2, pixels=element(0x7FE00010, "OW", values.tobytes())
        ),
        "1.3": dicom("1.3", series="1.2.3.5", x00080060=element(0x00080060, "CS", "SR"))[:-16],
        "1.4": dicom("1.4", study="1.2.4", series="1.2.4.1",
                     x00100010=element(0x00100010, "PN", "Doe^Jane"),
                     x00080020=element(0x00080020, "DA", "20260131")),
    }  # fmt: skip
    for uid, data in files.items():
        (folder / f"{uid}.dcm").write_bytes(data)
    with serve(folder) as server:
        yield server


# The real slide --------------------------------------------------------------------------------


def test_every_frame_is_the_stored_one(cmu, slide):
    for dataset in slide:
        count = int(dataset.NumberOfFrames)
        wanted = list(generate_frames(dataset.PixelData, number_of_frames=count))
        numbers = ",".join(map(str, range(1, count + 1)))
        answer = ask(cmu.url, f"{path_of(dataset)}/frames/{numbers}", Accept=_STORED)
        assert answer.status == 200
        assert parts(answer) == wanted
        single = ask(cmu.url, f"{path_of(dataset)}/frames/{count}", Accept="image/jpeg")
        assert single.body == wanted[-1]
        assert single.headers["content-type"] == f"image/jpeg; transfer-syntax={JPEG}"


def test_frames_come_decompressed_to_who_cannot_read_them(cmu, slide):
    for dataset in (next(one for one in slide if one.NumberOfFrames == size) for size in (35, 130)):
        count = int(dataset.NumberOfFrames)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        wanted = np.asarray(Image.open(io.BytesIO(frames[6])))
        for accept in ("*/*", 'multipart/related; type="application/octet-stream"'):
            answer = ask(cmu.url, f"/dicom-web{path_of(dataset)}/frames/7,7", Accept=accept)
            assert parts(answer) == [wanted.tobytes()] * 2


def test_dicomweb_client_reads_the_slide(cmu, slide):
    client = DICOMwebClient(cmu.url)
    (study,) = client.search_for_studies()
    assert study["00201208"]["Value"] == [len(slide)]
    dataset = slide[-1]
    uids = dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID
    assert len(client.search_for_instances(*uids[:2])) == len(slide)
    count = int(dataset.NumberOfFrames)
    frames = client.retrieve_instance_frames(
        *uids, list(range(1, count + 1)), media_types=(("image/jpeg", JPEG),)
    )
    assert frames == list(generate_frames(dataset.PixelData, number_of_frames=count))
    bare = client.retrieve_instance_frames(*uids, [1])
    assert len(bare[0]) == dataset.Rows * dataset.Columns * 3
    assert client.retrieve_instance(*uids) == dataset
    assert len(client.retrieve_series(*uids[:2])) == len(client.retrieve_study(uids[0])) == 8
    metadata = client.retrieve_series_metadata(*uids[:2])
    mine = next(one for one in metadata if one["00080018"]["Value"] == [uids[2]])
    read = pydicom.Dataset.from_json(mine)
    del read.AvailableTransferSyntaxUID
    del dataset.PixelData
    assert read == dataset


def test_wsidicom_reads_the_slide(cmu, cmu_folder, slide):
    client = WsiDicomWebClient(DICOMwebClient(cmu.url))
    ids = slide[0].StudyInstanceUID, slide[0].SeriesInstanceUID
    with WsiDicom.open_web(client, *ids) as remote, WsiDicom.open(cmu_folder) as local:
        assert [level.size for level in remote.levels] == [level.size for level in local.levels]
        for location, level, size in (((500, 700), 0, (600, 500)), ((0, 0), 2, (555, 742))):
            theirs = np.asarray(remote.read_region(location, level, size))
            assert (theirs == np.asarray(local.read_region(location, level, size))).all()


def test_instances_come_byte_for_byte(cmu, cmu_folder, slide):
    for file, dataset in zip(sorted(cmu_folder.glob("*.dcm")), slide, strict=True):
        answer = ask(cmu.url, path_of(dataset), Accept="application/dicom")
        assert answer.body == file.read_bytes()
        assert parts(ask(cmu.url, path_of(dataset))) == [file.read_bytes()]


# Metadata and bulk data -------------------------------------------------------------------------


def test_bulk_data_are_where_the_metadata_say(odd):
    path = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
    (header,) = Attributes.decode(ask(odd.url, f"/dicom-web{path}/metadata").body)
    uri = header.item("OpticalPathSequence").bulk("ICCProfile").uri
    assert uri == f"{odd.url}/dicom-web{path}/bulkdata/00480105/1/00282000"
    local = uri.removeprefix(odd.url)
    assert ask(odd.url, local, Accept="application/octet-stream").body == b"profile " * 300
    assert parts(ask(odd.url, local)) == [b"profile " * 300]
    assert DICOMwebClient(odd.url).retrieve_bulkdata(uri) == [b"profile " * 300]
    client_sees = DICOMwebClient(f"{odd.url}/dicom-web").retrieve_instance_metadata(
        "1.2.3", "1.2.3.4", "1.1"
    )  # it writes a Host header without the port
    assert client_sees["00480105"]["Value"][0]["00282000"]["BulkDataURI"] == uri
    assert ask(odd.url, f"{path}/bulkdata/00480105/2/00282000").status == 404
    assert ask(odd.url, local, Accept="image/png").status == 406


def test_other_names_for_this_machine_are_refused_on_loopback(odd):
    assert ask(odd.url, "/studies", Host="pacs.evil.example").status == 421
    assert ask(odd.url, "/studies", Host="localhost:99").status == 200


def test_metadata_are_compressed_for_who_wants_it(odd):
    plain = ask(odd.url, "/studies/1.2.3/metadata")
    packed = ask(odd.url, "/studies/1.2.3/metadata", Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(plain.json) == 3


def test_sixteen_bits_stay_little_endian(odd):
    answer = ask(odd.url, "/studies/1.2.3/series/1.2.3.4/instances/1.2/frames/2,1")
    first, second = parts(answer)
    assert np.frombuffer(first, "<u2").tolist() == [4000, 5000, 6000, 7000]
    assert np.frombuffer(second, "<u2").tolist() == [0, 1000, 2000, 3000]


# Searches ---------------------------------------------------------------------------------------


def found(answer, tag="0020000D"):
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/dicom+json"
    return [one[tag]["Value"][0] for one in answer.json]


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("", ["1.2.3", "1.2.4"]),
        ("?PatientName=DOE*", ["1.2.4"]),
        ("?PatientName=d?e^jane", ["1.2.4"]),
        ("?00100010=Doe%5EJane", ["1.2.4"]),
        ("?PatientName=Roe", []),
        ("?PatientName=*", ["1.2.3", "1.2.4"]),
        ("?StudyDate=20260101-20260201", ["1.2.4"]),
        ("?StudyDate=-20251231", []),
        ("?StudyInstanceUID=1.2.3,1.2.4,1.2.9", ["1.2.3", "1.2.4"]),
        ("?StudyInstanceUID=1.2.4", ["1.2.4"]),
        ("?ModalitiesInStudy=SR", ["1.2.3"]),
        ("?ModalitiesInStudy=SM&PatientName=Doe*", ["1.2.4"]),
        ("?NumberOfStudyRelatedInstances=3", ["1.2.3"]),
        ("?limit=1", ["1.2.3"]),
        ("?limit=1&offset=1", ["1.2.4"]),
        ("?offset=2", []),
        ("?limit=0", []),
    ],
)
def test_studies(odd, query, studies):
    assert found(ask(odd.url, f"/studies{query}")) == studies


@pytest.mark.parametrize(
    ("path", "tag", "uids"),
    [
        ("/series", "0020000E", ["1.2.3.4", "1.2.3.5", "1.2.4.1"]),
        ("/series?Modality=SR", "0020000E", ["1.2.3.5"]),
        ("/studies/1.2.3/series", "0020000E", ["1.2.3.4", "1.2.3.5"]),
        ("/studies/1.2.9/series", "0020000E", []),
        ("/instances", "00080018", ["1.1", "1.2", "1.3", "1.4"]),
        ("/instances?NumberOfFrames=2", "00080018", ["1.2"]),
        ("/instances?SOPInstanceUID=1.3,1.4", "00080018", ["1.3", "1.4"]),
        ("/studies/1.2.3/instances", "00080018", ["1.1", "1.2", "1.3"]),
        ("/studies/1.2.3/series/1.2.3.4/instances", "00080018", ["1.1", "1.2"]),
        ("/studies/1.2.3/series/1.2.3.4/instances?limit=1&offset=1", "00080018", ["1.2"]),
        ("/instances?SeriesInstanceUID=1.2.3.5", "00080018", ["1.3"]),
    ],
)
def test_series_and_instances(odd, path, tag, uids):
    assert found(ask(odd.url, path), tag) == uids


def test_a_match_says_what_the_standard_wants(odd):
    (study,) = ask(odd.url, "/studies?StudyInstanceUID=1.2.3").json
    assert study["00080061"] == {"vr": "CS", "Value": ["SM", "SR"]}
    assert study["00201206"] == {"vr": "IS", "Value": [2]}
    assert study["00201208"] == {"vr": "IS", "Value": [3]}
    assert study["00081190"] == {"vr": "UR", "Value": [f"{odd.url}/studies/1.2.3"]}
    assert study["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert "00280010" not in study
    (instance,) = ask(odd.url, "/instances?SOPInstanceUID=1.2").json
    assert instance["00083002"] == {"vr": "UI", "Value": [EXPLICIT]}
    assert instance["00280008"]["Value"] == [2]
    assert instance["00081190"]["Value"] == [
        f"{odd.url}/studies/1.2.3/series/1.2.3.4/instances/1.2"
    ]


def test_fields_are_included_as_asked(odd):
    tag = "00280004"  # PhotometricInterpretation
    path = "/instances?SOPInstanceUID=1.1"
    assert tag not in ask(odd.url, path).json[0]
    for field in ("PhotometricInterpretation", tag, f"Rows,{tag}", "all"):
        (one,) = ask(odd.url, f"{path}&includefield={field}").json
        assert one[tag]["Value"] == ["MONOCHROME2"]
    (one,) = ask(odd.url, f"{path}&PhotometricInterpretation=MONO*").json
    assert one[tag]["Value"] == ["MONOCHROME2"]


# Refusals ---------------------------------------------------------------------------------------

_FRAME = "/studies/1.2.3/series/1.2.3.4/instances/1.2/frames"


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/", "", 404),
        ("/nothing", "", 404),
        ("/studies/1.2.3/nothing", "", 404),
        ("/studies/1.2.9", "", 404),
        ("/studies/1.2.9/metadata", "", 404),
        ("/studies/1.2.3/series/1.9/metadata", "", 404),
        ("/studies/1.2.3/series/1.2.3.4/instances/1.9", "", 404),
        ("/studies/1.2.3/series/1.2.3.4/instances/1.4/frames/1", "", 404),
        ("/studies/1.2.3/series/1.2.3.5/instances/1.3/frames/1", "", 404),
        ("/studies/1..2/metadata", "", 400),
        ("/studies/..%2f..%2fetc/metadata", "", 404),
        ("/studies/%2e%2e/metadata", "", 400),
        ("/studies/x/series", "", 400),
        (f"/studies/{'1' * 65}/series", "", 400),
        (f"{_FRAME}/0", "", 400),
        (f"{_FRAME}/3", "", 400),
        (f"{_FRAME}/-1", "", 400),
        (f"{_FRAME}/one", "", 400),
        (f"{_FRAME}/1,,2", "", 400),
        (f"{_FRAME}/1,99", "", 400),
        (f"{_FRAME}/99999999999999999999", "", 400),
        (f"{_FRAME}/1", "image/jpeg", 406),
        (f"{_FRAME}/1", "text/html", 406),
        (f"{_FRAME}/1", "nonsense", 400),
        (f"{_FRAME}/1,2", "application/octet-stream", 406),
        ("/studies", "text/html", 406),
        ("/studies/1.2.3/metadata", 'multipart/related; type="application/dicom+xml"', 406),
        ("/studies/1.2.3", "application/dicom", 406),
        ("/studies/1.2.3/series/1.2.3.4/instances/1.1", "image/png", 406),
        ("/studies?PatientNam=x", "", 400),
        ("/studies?limit=-1", "", 400),
        ("/studies?offset=many", "", 400),
    ],
)
def test_refusals_have_their_status_and_words(odd, path, accept, status):
    answer = ask(odd.url, path, Accept=accept)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert len(json.loads(answer.body)["error"]) > 5


def test_methods(odd):
    assert ask(odd.url, "/studies/1.2.3/metadata", "DELETE").status == 405
    head = ask(odd.url, f"{_FRAME}/1", "HEAD")
    assert (head.status, head.body) == (200, b"")
    refused = ask(odd.url, "/studies", "POST", b"x", Content_Type="application/dicom")
    assert refused.status == 405
    assert "read-only" in refused.json["error"]


@pytest.mark.parametrize(
    ("header", "packed"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("xgzip", False),
        ("gzip;q=much", False),
    ],
)
def test_nothing_is_compressed_against_ones_will(odd, header, packed):
    answer = ask(odd.url, "/studies/1.2.3/metadata", Accept_Encoding=header)
    assert answer.status == 200
    assert ("content-encoding" in answer.headers) is packed


@pytest.mark.parametrize("prefix", ["", "/dicom-web"])
def test_each_resource_says_which_methods_it_has(odd, tmp_path, prefix):
    reads = "GET, HEAD, OPTIONS"
    for path in ("/studies", "/studies/1.2.3", "/instances", "/studies/1.2.3/metadata"):
        for method in ("DELETE", "PUT", "POST"):
            refused = ask(odd.url, prefix + path, method, b"")
            assert (refused.status, refused.headers["allow"]) == (405, reads)
            assert len(refused.json["error"]) > 5
        asked = ask(odd.url, prefix + path, "OPTIONS")
        assert (asked.status, asked.headers["allow"], asked.body) == (204, reads, b"")
    frame = prefix + f"{_FRAME}/1"
    assert ask(odd.url, frame, "OPTIONS").headers["allow"] == reads
    assert ask(odd.url, frame, "PATCH").headers["allow"] == reads
    with serve(tmp_path, stow=True) as server:
        both = "GET, HEAD, POST, OPTIONS"
        for path in ("/studies", "/studies/1.2.3"):
            assert ask(server.url, prefix + path, "OPTIONS").headers["allow"] == both
            assert ask(server.url, prefix + path, "DELETE").headers["allow"] == both
        assert ask(server.url, f"{prefix}/series", "OPTIONS").headers["allow"] == reads


def test_a_study_of_several_syntaxes_is_not_given_in_one_of_them(tmp_path):
    (tmp_path / "1.dcm").write_bytes(dicom("1.1"))
    (tmp_path / "2.dcm").write_bytes(
        dicom("1.2", syntax=JPEG, pixels=encapsulated([b"\xff\xd8ab"]))
    )
    related = 'multipart/related; type="application/dicom"'
    with serve(tmp_path) as server:
        for syntax, status in (("", 200), ("*", 200), (EXPLICIT, 406), ("1.2.3", 406)):
            accept = f"{related}; transfer-syntax={syntax}" if syntax else related
            assert ask(server.url, "/studies/1.2.3", Accept=accept).status == status
        one = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
        exact = f"{related}; transfer-syntax={EXPLICIT}"
        assert ask(server.url, one, Accept=exact).status == 200


def test_whole_instances_say_how_long_they_are(tmp_path):
    data = dicom("1.1", pixels=element(0x7FE00010, "OW", bytes(3_000_000)))  # streamed
    (tmp_path / "1.dcm").write_bytes(data)
    path = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
    with serve(tmp_path) as server:
        alone = ask(server.url, path, Accept="application/dicom")
        assert (alone.headers["content-length"], alone.body) == (str(len(data)), data)
        several = ask(server.url, path)
        assert several.headers["content-length"] == str(len(several.body))
        assert parts(several) == [data]


def test_a_search_that_is_cut_says_so(odd, monkeypatch):
    from wsiweb.server import search

    assert search._LARGEST_PAGE == 5000
    assert "warning" not in ask(odd.url, "/instances").headers
    monkeypatch.setattr(search, "_LARGEST_PAGE", 2)
    cut = ask(odd.url, "/instances")
    assert found(cut, "00080018") == ["1.1", "1.2"]
    assert cut.headers["warning"].startswith("299 wsiweb ")
    rest = ask(odd.url, "/instances?offset=2")
    assert found(rest, "00080018") == ["1.3", "1.4"]
    assert "warning" not in rest.headers
    assert "warning" not in ask(odd.url, "/instances?limit=2").headers  # as many as were asked
    assert "warning" in ask(odd.url, "/instances?limit=3").headers


def test_a_thousand_matches_come_at_once(tmp_path):
    for number in range(1000):
        (tmp_path / f"{number}.dcm").write_bytes(dicom(f"1.{number}"))
    with serve(tmp_path) as server:
        answer = ask(server.url, "/instances")
        assert len(answer.json) == 1000
        assert "warning" not in answer.headers


def test_what_a_query_asks_in_vain_is_said(odd):
    assert "warning" not in ask(odd.url, "/studies?limit=5").headers
    passed_over = ask(odd.url, "/studies?orderby=StudyDate").headers["warning"]
    assert passed_over.startswith("299 wsiweb ")
    assert "passed over" in passed_over
    assert "literally" in ask(odd.url, "/studies?fuzzymatching=true").headers["warning"]
