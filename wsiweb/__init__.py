"""wsiweb: whole-slide pathology images over DICOMweb.

::

    import wsiweb

    archive = wsiweb.connect("https://pacs.lab/dicom-web")  # or a folder of DICOM files
    slide = archive.slides(patient_id="P1")[0].open()
    tissue = slide.read_region((12_000, 8_000), 0, (1024, 1024))  # (rows, columns, channels)
"""

from __future__ import annotations

from wsiweb.archive import Archive, connect
from wsiweb.client.auth import BasicAuth, BearerAuth, HeaderAuth
from wsiweb.errors import (
    ArchiveError,
    Busy,
    DecodeError,
    NotAcceptable,
    NotFound,
    OutboxError,
    ProtocolError,
    SlideError,
    StoreError,
    TooLarge,
    Unauthorized,
    Unreachable,
    WsiwebError,
)
from wsiweb.settings import Settings
from wsiweb.slide import Slide
from wsiweb.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "ArchiveError",
    "BasicAuth",
    "BearerAuth",
    "Busy",
    "DecodeError",
    "HeaderAuth",
    "NotAcceptable",
    "NotFound",
    "OutboxError",
    "ProtocolError",
    "Settings",
    "Slide",
    "SlideError",
    "StoreError",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
    "WsiwebError",
    "__version__",
    "connect",
    "trace",
]
