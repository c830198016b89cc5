"""The DICOM JSON model (PS3.18 Annex F), read lazily.

Metadata of a sparse slide can hold 100,000 frames; decoding all of it into Python objects takes ten
seconds and a gigabyte. Here a dataset is a table of undecoded values: each is decoded when it is
asked for, and per-frame tables can be taken as raw JSON and decoded into columns.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import math
from typing import Any, NamedTuple, Self

import msgspec

from wsiweb.errors import ProtocolError

__all__ = ["Attributes", "BulkData", "keyword_of", "tag_of"]

# What this library speaks of. pydicom's dictionary knows all, and takes 0.15 s to import: it is
# asked only for the rest.
_TAGS = {
    "AccessionNumber": "00080050",
    "AvailableTransferSyntaxUID": "00083002",
    "BitsAllocated": "00280100",
    "BitsStored": "00280101",
    "ColumnPositionInTotalImagePixelMatrix": "0048021E",
    "Columns": "00280011",
    "ConcatenationFrameOffsetNumber": "00209228",
    "ConcatenationUID": "00209161",
    "ContainerIdentifier": "00400512",
    "DimensionOrganizationType": "00209311",
    "FailedSOPSequence": "00081198",
    "FailureReason": "00081197",
    "FrameOfReferenceUID": "00200052",
    "HighBit": "00280102",
    "ICCProfile": "00282000",
    "ImageOrientationSlide": "00480102",
    "ImageType": "00080008",
    "ImagedVolumeHeight": "00480002",
    "ImagedVolumeWidth": "00480001",
    "InstanceAvailability": "00080056",
    "InstanceNumber": "00200013",
    "Modality": "00080060",
    "ModalitiesInStudy": "00080061",
    "NumberOfFrames": "00280008",
    "NumberOfSeriesRelatedInstances": "00201209",
    "NumberOfStudyRelatedInstances": "00201208",
    "NumberOfStudyRelatedSeries": "00201206",
    "ObjectiveLensPower": "00480112",
    "OpticalPathIdentifier": "00480106",
    "OpticalPathSequence": "00480105",
    "PatientBirthDate": "00100030",
    "PatientID": "00100020",
    "PatientName": "00100010",
    "PatientSex": "00100040",
    "PerFrameFunctionalGroupsSequence": "52009230",
    "PerformedProcedureStepStartDate": "00400244",
    "PerformedProcedureStepStartTime": "00400245",
    "PhotometricInterpretation": "00280004",
    "PixelData": "7FE00010",
    "PixelMeasuresSequence": "00289110",
    "PixelRepresentation": "00280103",
    "PixelSpacing": "00280030",
    "PlanarConfiguration": "00280006",
    "PlanePositionSlideSequence": "0048021A",
    "PyramidUID": "00080019",
    "RecommendedAbsentPixelCIELabValue": "00480015",
    "ReferencedSOPClassUID": "00081150",
    "ReferencedSOPInstanceUID": "00081155",
    "ReferencedSOPSequence": "00081199",
    "ReferringPhysicianName": "00080090",
    "RequestAttributesSequence": "00400275",
    "RetrieveURL": "00081190",
    "RowPositionInTotalImagePixelMatrix": "0048021F",
    "Rows": "00280010",
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "SamplesPerPixel": "00280002",
    "SeriesDescription": "0008103E",
    "SeriesInstanceUID": "0020000E",
    "SeriesNumber": "00200011",
    "SharedFunctionalGroupsSequence": "52009229",
    "SpecimenDescriptionSequence": "00400560",
    "SpecimenIdentifier": "00400551",
    "StudyDate": "00080020",
    "StudyDescription": "00081030",
    "StudyID": "00200010",
    "StudyInstanceUID": "0020000D",
    "StudyTime": "00080030",
    "TimezoneOffsetFromUTC": "00080201",
    "TotalPixelMatrixColumns": "00480006",
    "TotalPixelMatrixFocalPlanes": "00480303",
    "TotalPixelMatrixOriginSequence": "00480008",
    "TotalPixelMatrixRows": "00480007",
    "TransferSyntaxUID": "00020010",
    "XOffsetInSlideCoordinateSystem": "0040072A",
    "YOffsetInSlideCoordinateSystem": "0040073A",
    "ZOffsetInSlideCoordinateSystem": "0040074A",
}
_KEYWORDS = {tag: keyword for keyword, tag in _TAGS.items()}
_HEX = frozenset("0123456789abcdefABCDEF")


def tag_of(keyword: str) -> str:
    """Return the tag of a keyword as eight hexadecimal digits; a tag is returned as it is.

    Raises
    ------
    ValueError
        For what is neither, with the keywords that come close.

    Examples
    --------
    >>> tag_of("PatientID")
    '00100020'
    """
    known = _TAGS.get(keyword)
    if known is not None:
        return known
    if len(keyword) == 8 and _HEX.issuperset(keyword):
        return keyword.upper()
    from pydicom.datadict import keyword_dict, tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is None:
        close = difflib.get_close_matches(keyword, keyword_dict)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"DICOM has no attribute {keyword!r}.{hint}")
    return f"{tag:08X}"


def keyword_of(tag: str) -> str:
    """Return the keyword of a tag; the tag itself where it has none (private attributes).

    Examples
    --------
    >>> keyword_of("00100020")
    'PatientID'
    """
    known = _KEYWORDS.get(tag)
    if known is not None:
        return known
    if len(tag) != 8 or not _HEX.issuperset(tag):
        return tag
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(int(tag, 16)) or tag


class BulkData(NamedTuple):
    """A value that does not stand in the JSON itself, or stands there as Base64.

    Attributes
    ----------
    uri : str or None
        BulkDataURI, as the archive wrote it.
    inline : bytes or None
        InlineBinary, decoded.
    """

    uri: str | None
    inline: bytes | None


class _Element(msgspec.Struct, gc=False):
    """One attribute, its value undecoded."""

    vr: str = ""
    Value: msgspec.Raw = msgspec.Raw()
    BulkDataURI: str | None = None
    InlineBinary: str | None = None


_Table = dict[str, _Element]
_datasets = msgspec.json.Decoder(list[_Table])
_dataset = msgspec.json.Decoder(_Table)
_items = msgspec.json.Decoder(list[_Table | None])
_values = msgspec.json.Decoder(list[Any])


class Attributes:
    """One dataset in the DICOM JSON model; immutable.

    Attributes are named by keyword or by tag. An absent attribute, one without a value and a null
    value are alike: they give the default.

    Examples
    --------
    >>> (one,) = Attributes.decode(b'[{"00100020": {"vr": "LO", "Value": ["P1"]}}]')
    >>> one.text("PatientID")
    'P1'
    """

    __slots__ = ("_table",)

    def __init__(self, table: _Table | None = None) -> None:
        self._table: _Table = {} if table is None else table

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> list[Self]:
        """Read the JSON of an answer: an array of datasets, or a single one.

        Parameters
        ----------
        data : bytes
            UTF-8, with or without a byte order mark; nothing at all is an empty list.

        Raises
        ------
        ProtocolError
            When it is not DICOM JSON.
        """
        body = bytes(data).removeprefix(b"\xef\xbb\xbf").strip()
        if not body:
            return []
        try:
            tables = [_dataset.decode(body)] if body.startswith(b"{") else _datasets.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            start = body[:120].decode("utf-8", "replace")
            raise ProtocolError(f"The answer is not DICOM JSON ({error}).", body=start) from error
        return [cls(_upper(table)) for table in tables]

    @classmethod
    def of(cls, model: dict[str, Any]) -> Self:
        """Return the attributes of a plain DICOM JSON object, such as pydicom makes.

        Raises
        ------
        ProtocolError
            When it is not DICOM JSON.
        """
        return cls.decode(json.dumps(model).encode())[0]  # msgspec refuses subclasses of str

    def __contains__(self, keyword: str) -> bool:
        return tag_of(keyword) in self._table

    def __repr__(self) -> str:
        return f"<Attributes: {len(self._table)}>"

    def tags(self) -> tuple[str, ...]:
        """Return the tags of all attributes, in the order of the JSON."""
        return tuple(self._table)

    def vr(self, keyword: str) -> str:
        """Return the value representation; empty for an absent attribute."""
        element = self._table.get(tag_of(keyword))
        return "" if element is None else element.vr

    def raw(self, keyword: str) -> bytes | None:
        """Return the JSON of the array of values, undecoded; None when there is none."""
        element = self._table.get(tag_of(keyword))
        if element is None:
            return None
        value = bytes(element.Value)
        return None if value in {b"", b"null"} else value

    def _decoded(self, keyword: str) -> list[Any]:
        raw = self.raw(keyword)
        if raw is None:
            return []
        try:
            return [value for value in _values.decode(raw) if value is not None]
        except (msgspec.DecodeError, RecursionError) as error:
            raise _odd(keyword, "an array of values", raw) from error

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return all values as text; of a person's name the alphabetic form.

        Raises
        ------
        ProtocolError
            When a value is neither text, number nor name.
        """
        return tuple(self._text(keyword, value) for value in self._decoded(keyword))

    def _text(self, keyword: str, value: Any) -> str:
        match value:
            case str():
                return value
            case bool():
                pass
            case int() | float():
                return str(value)
            case dict():
                for form in ("Alphabetic", "Ideographic", "Phonetic"):
                    if isinstance(value.get(form), str):
                        return value[form]
                if self.vr(keyword) == "PN":
                    return ""
            case _:
                pass
        raise _odd(keyword, "text", value)

    def text(self, keyword: str, default: str = "") -> str:
        """Return the first value as text, or the default."""
        return next(iter(self.texts(keyword)), default)

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return all values as numbers; text is understood too (DS and IS come either way).

        Raises
        ------
        ProtocolError
            When a value is not a finite number.
        """
        return tuple(self._number(keyword, value) for value in self._decoded(keyword))

    def _number(self, keyword: str, value: Any) -> float:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                number = float(value)
            except (ValueError, OverflowError):
                number = math.nan
            if math.isfinite(number):
                return number
        raise _odd(keyword, "a number", value)

    def number(self, keyword: str) -> float | None:
        """Return the first value as a number; None when there is none."""
        return next(iter(self.numbers(keyword)), None)

    def integers(self, keyword: str) -> tuple[int, ...]:
        """Return all values as whole numbers.

        Raises
        ------
        ProtocolError
            When a value is not whole.
        """
        return tuple(self._integer(keyword, value) for value in self._decoded(keyword))

    def _integer(self, keyword: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        number = self._number(keyword, value)
        if not number.is_integer():
            raise _odd(keyword, "a whole number", value)
        return int(number)

    def integer(self, keyword: str) -> int | None:
        """Return the first value as a whole number; None when there is none."""
        return next(iter(self.integers(keyword)), None)

    def items(self, keyword: str) -> tuple[Self, ...]:
        """Return the items of a sequence.

        Raises
        ------
        ProtocolError
            When it is not a sequence.
        """
        raw = self.raw(keyword)
        if raw is None:
            return ()
        try:
            tables = _items.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _odd(keyword, "a sequence of items", raw) from error
        return tuple(type(self)(_upper(table)) for table in tables if table is not None)

    def item(self, keyword: str) -> Self:
        """Return the first item of a sequence, or an empty one."""
        return next(iter(self.items(keyword)), type(self)())

    def bulk(self, keyword: str) -> BulkData | None:
        """Return a value that is kept outside of the JSON or in Base64; None when it is neither.

        Raises
        ------
        ProtocolError
            When the Base64 is damaged.
        """
        element = self._table.get(tag_of(keyword))
        if element is None:
            return None
        inline = None
        if element.InlineBinary is not None:
            try:
                inline = base64.b64decode(element.InlineBinary, validate=True)
            except (binascii.Error, ValueError) as error:
                raise _odd(keyword, "Base64", element.InlineBinary) from error
        if inline is None and element.BulkDataURI is None:
            return None
        return BulkData(element.BulkDataURI, inline)

    def to_dict(self) -> dict[str, Any]:
        """Return the dataset as a plain DICOM JSON object."""
        model: dict[str, Any] = {}
        for tag, element in self._table.items():
            entry: dict[str, Any] = {"vr": element.vr}
            raw = self.raw(tag)
            if raw is not None:
                entry["Value"] = _values.decode(raw)
            if element.BulkDataURI is not None:
                entry["BulkDataURI"] = element.BulkDataURI
            if element.InlineBinary is not None:
                entry["InlineBinary"] = element.InlineBinary
            model[tag] = entry
        return model


def _upper(table: _Table) -> _Table:
    """Write tags in capitals, as the standard does and some archives do not."""
    if all(tag.isupper() or tag.isdigit() for tag in table):
        return table
    return {tag.upper(): element for tag, element in table.items()}


def _odd(keyword: str, wanted: str, value: Any) -> ProtocolError:
    shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return ProtocolError(
        f"The attribute {keyword_of(tag_of(keyword))} should be {wanted} and is {shown[:80]}."
    )
