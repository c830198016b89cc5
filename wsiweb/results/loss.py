"""What a slide says of how its pixels were compressed with loss (PS3.3 C.7.6.1.1.5).

Three attributes say so, and all three have to be there as soon as there was any loss; what is made
of the slide has them, too. Where some of them are missing, the others and the way in which pixels
are stored tell what they are, but for how strongly they were compressed, which only a writer knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["state_loss"]

_FLAG = "LossyImageCompression"
_DETAILS = ("LossyImageCompressionMethod", "LossyImageCompressionRatio")
_SYNTAX = "1.2.840.10008.1.2.4."
# By the last number of the transfer syntax, of those that may lose something (PS3.5 A.4, PS3.3
# C.7.6.1.1.5.1). Of JPEG 2000 and JPEG XL so may others, but it is not known that they do.
_METHODS = {
    "50": "ISO_10918_1",  # JPEG
    "51": "ISO_10918_1",
    "81": "ISO_14495_1",  # JPEG-LS
    "91": "ISO_15444_1",  # JPEG 2000
    "203": "ISO_15444_15",  # High-Throughput JPEG 2000
    "111": "ISO_18181_1",  # JPEG XL
    "112": "ISO_18181_1",
}
# By the colours, which these alone have (PS3.5 8.2.1, 8.2.4).
_OF_COLOURS = {"YBR_FULL_422": "ISO_10918_1", "YBR_ICT": "ISO_15444_1"}


def state_loss(header: Dataset, transfer_syntax: str | None) -> None:
    """Let a header say as a whole what it says in part of compression with loss.

    Parameters
    ----------
    header : pydicom.Dataset
        Of the slide; changed. A loss that is told of by any of the three attributes is one, and
        never undone. What is missing and cannot be told stays missing.
    transfer_syntax : str or None
        How its frames are stored, if that is known.
    """
    told = any(header.get(keyword) for keyword in _DETAILS)
    if header.get(_FLAG) != "01" and not told:
        for keyword in _DETAILS:
            header.pop(keyword, None)
        return
    header.LossyImageCompression = "01"
    method = _method(header, transfer_syntax)
    if not header.get(_DETAILS[0]) and method is not None:
        header.LossyImageCompressionMethod = method
    for keyword in _DETAILS:
        if keyword in header and not header.get(keyword):
            delattr(header, keyword)


def _method(header: Dataset, transfer_syntax: str | None) -> str | None:
    syntax = transfer_syntax or ""
    found = _METHODS.get(syntax.removeprefix(_SYNTAX)) if syntax.startswith(_SYNTAX) else None
    return found or _OF_COLOURS.get(str(header.get("PhotometricInterpretation") or ""))
