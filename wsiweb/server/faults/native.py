"""DICOM JSON as the Native DICOM Model, which is XML (PS3.19 A.1)."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from wsiweb.wire.tags import keyword_of

__all__ = ["native_xml"]

_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def native_xml(model: dict[str, Any]) -> bytes:
    """Return a dataset as XML.

    Parameters
    ----------
    model : dict
        A DICOM JSON object of texts, numbers and sequences, as the answers of STOW-RS are; names of
        persons and bulk data are not written.

    Returns
    -------
    bytes
        UTF-8.

    Examples
    --------
    >>> b'<Value number="1">272</Value>' in native_xml({"00081197": {"vr": "US", "Value": [272]}})
    True
    """
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return (
        f'{head}<NativeDicomModel xmlns="{_NAMESPACE}" xml:space="preserve">'
        f"{_attributes(model)}</NativeDicomModel>"
    ).encode()


def _attributes(model: dict[str, Any]) -> str:
    return "".join(_attribute(tag, element) for tag, element in sorted(model.items()))


def _attribute(tag: str, element: dict[str, Any]) -> str:
    keyword = keyword_of(tag)
    named = "" if keyword == tag else f" keyword={quoteattr(keyword)}"
    is_sequence = element["vr"] == "SQ"
    values = "".join(
        f'<Item number="{number}">{_attributes(value)}</Item>'
        if is_sequence
        else f'<Value number="{number}">{escape(str(value))}</Value>'
        for number, value in enumerate(element.get("Value", ()), 1)
    )
    return f'<DicomAttribute tag="{tag}" vr="{element["vr"]}"{named}>{values}</DicomAttribute>'
