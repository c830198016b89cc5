"""The body of an answer as datasets, whatever form it has and whatever its headers say.

Archives answer a STOW request in DICOM JSON (PS3.18 annex F), a dataset or a list of one, or in
XML, the Native DICOM Model (PS3.19 A.1), whatever was asked for. Which one it is, is told from the
body itself, because the Content-Type is often wrong or missing. Only texts, numbers and sequences
are read: that is all such an answer consists of.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, cast
from xml.parsers import expat

from wsiweb.errors import ProtocolError
from wsiweb.wire.media import parse_content_type
from wsiweb.wire.tags import is_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Dataset", "datasets_of", "decoded", "read_xml"]

Dataset = dict[str, list["str | Dataset"]]
"""Values by tag (eight hexadecimal digits, in capitals); those of a sequence are datasets."""

_XML_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,99}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_WIDE = ("utf-16", "utf16", "utf_16", "utf-32", "utf32", "utf_32", "ucs")


def decoded(content_type: str, body: bytes) -> str:
    r"""Return a body as text, without space around it. Never raises.

    Parameters
    ----------
    content_type : str
        The header; its charset counts where the body does not mark its own encoding.
    body : bytes
        Bytes that are in no encoding become question marks.

    Examples
    --------
    >>> decoded("text/plain; charset=latin-1", b"gr\xf6\xdfer")
    'größer'
    """
    for name in (*_marked(body), *_charset(content_type), "utf-8"):
        # .NET writes "utf-16" into XML that it then sends as UTF-8.
        if name.lower().startswith(_WIDE) and b"\0" not in body[:4]:
            continue
        try:
            return _trimmed(body.decode(name))
        except (LookupError, ValueError):  # no such encoding; UnicodeError is a ValueError
            continue
    return _trimmed(body.decode("utf-8", "replace"))


def _trimmed(text: str) -> str:
    return text.strip().strip("\ufeff\0").strip()


def _marked(body: bytes) -> Iterator[str]:
    """Yield the encodings that a body itself names: by a byte order mark, or as XML does."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield "utf-16"
    if body.startswith(codecs.BOM_UTF8):
        yield "utf-8"
    declared = _XML_ENCODING.match(body)
    if declared is not None:
        yield declared[1].decode("ascii", "replace")


def _charset(content_type: str) -> Iterator[str]:
    try:
        charset = parse_content_type(content_type).parameters.get("charset")
    except ProtocolError:
        return
    if charset:
        yield charset


def datasets_of(text: str) -> list[Dataset]:
    """Return the datasets of a body, as far as it holds any. Never raises.

    Examples
    --------
    >>> datasets_of('[{"00081190": {"vr": "UR", "Value": ["a"]}}]')
    [{'00081190': ['a']}]
    >>> datasets_of("success"), datasets_of('{"message": "no"}')
    ([], [])
    """
    try:
        if text.startswith("<"):
            found = read_xml(text)
        elif text.startswith(("{", "[")):
            model = json.loads(text)
            items = cast("list[Any]", model if isinstance(model, list) else [model])
            found = [_plain(one) for one in items if isinstance(one, dict)]
        else:
            return []
    except (ValueError, RecursionError):
        return []
    return [one for one in found if one]


def _plain(model: dict[str, Any]) -> Dataset:
    """Return a DICOM JSON object as a table of values; what is not read is passed over."""
    dataset: Dataset = {}
    for tag, element in model.items():
        if not is_tag(tag) or not isinstance(element, dict):
            continue
        values = cast("dict[str, Any]", element).get("Value")
        kept = dataset.setdefault(tag.upper(), [])
        for value in cast("list[Any]", values) if isinstance(values, list) else []:
            if isinstance(value, dict):
                kept.append(_plain(cast("dict[str, Any]", value)))
            elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
                kept.append(str(value))
    return dataset


def read_xml(text: str) -> list[Dataset]:
    """Return the datasets of an XML document.

    Parameters
    ----------
    text : str
        The document; what its declaration says of an encoding is passed over.

    Returns
    -------
    list of dict
        One for each ``NativeDicomModel``; empty for XML that is something else.

    Raises
    ------
    ValueError
        When it is not well formed, or declares a document type: entities can make a page of
        text out of a line, without end, and DICOM has no use for them.

    Examples
    --------
    >>> read_xml('<NativeDicomModel><DicomAttribute tag="00081190" vr="UR">'
    ...          '<Value number="1">a</Value></DicomAttribute></NativeDicomModel>')
    [{'00081190': ['a']}]
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError(f"This is not XML: {error}.") from error
    return reader.models


def _refuse(*_: object) -> None:
    raise ValueError("A document type is declared, which a dataset has no use for.")


class _Reader:
    """What the parser calls; each open element has a place on the stack, whatever it is."""

    def __init__(self) -> None:
        self.models: list[Dataset] = []
        self._open: list[Dataset | list[str | Dataset] | None] = []
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        above = self._open[-1] if self._open else None
        match name.rpartition(":")[2]:  # a prefix may name the namespace
            case "NativeDicomModel":
                model: Dataset = {}
                self.models.append(model)
                self._open.append(model)
            case "DicomAttribute" if isinstance(above, dict):
                values: list[str | Dataset] = []
                above[attributes.get("tag", "").upper()] = values
                self._open.append(values)
            case "Item" if isinstance(above, list):
                item: Dataset = {}
                above.append(item)
                self._open.append(item)
            case _:
                self._open.append(None)
        self._text.clear()

    def characters(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        self._open.pop()
        above = self._open[-1] if self._open else None
        if isinstance(above, list) and name.rpartition(":")[2] == "Value":
            above.append("".join(self._text).strip())
        self._text.clear()
