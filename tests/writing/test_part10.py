from __future__ import annotations

import pydicom
import pytest
from pydicom.uid import JPEGLSLossless

from wsiweb.writing.part10 import FrameFile


def test_a_header_that_cannot_be_encoded_leaves_no_file(tmp_path):
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = JPEGLSLossless
    with pytest.raises(AttributeError, match="SOP Class UID"):  # which a file has to have
        FrameFile(tmp_path / "a.dcm", header, 1, per_frame=b"", offsets="basic", raw_bytes=1)
    assert list(tmp_path.iterdir()) == []
