"""The DICOM JSON model (PS3.18 Annex F), read lazily.

Metadata of a sparse slide can hold 100,000 frames; decoding all of it into Python objects takes ten
seconds and a gigabyte. Here a dataset is a table of undecoded values: each is decoded when it is
asked for, and per-frame tables can be taken as raw JSON and decoded into columns.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import math
import re
from typing import Any, NamedTuple, Self

import msgspec

from wsiweb.errors import ProtocolError
from wsiweb.wire.tags import is_tag, keyword_of, tag_of

__all__ = ["Attributes", "BulkData", "keyword_of", "tag_of"]

_STRICT_TAG = re.compile(r"[0-9A-F]{8}").fullmatch
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)


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

# What msgspec raises for text that is no JSON, not what was expected, not UTF-8, or too deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NAME_FORMS = ("Alphabetic", "Ideographic", "Phonetic")


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
            UTF-8, with or without a byte order mark, or UTF-16 with one; nothing at all is an
            empty list.

        Raises
        ------
        ProtocolError
            When it is not DICOM JSON.
        """
        body = bytes(data).removeprefix(codecs.BOM_UTF8).strip()
        if not body:
            return []
        try:
            if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                body = bytes(data).decode("utf-16").strip().encode()
            tables = [_dataset.decode(body)] if body.startswith(b"{") else _datasets.decode(body)
        except _UNREADABLE as error:
            start = body[:120].decode("utf-8", "replace")
            raise ProtocolError(f"The answer is not DICOM JSON ({error}).", body=start) from error
        if any(table and not any(map(is_tag, table)) for table in tables):
            start = body[:120].decode("utf-8", "replace")
            raise ProtocolError("The answer is not DICOM JSON (no tags in it).", body=start)
        return [cls(_tidy(table)) for table in tables]

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
        """Return the values, nulls included; none at all where all of them are null."""
        raw = self.raw(keyword)
        if raw is None:
            return []
        try:
            values = _values.decode(raw)
        except _UNREADABLE as error:
            raise _odd(keyword, "an array of values", raw) from error
        return [] if all(value is None for value in values) else values

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return all values as text; of a person's name the alphabetic form.

        A null among other values is an empty text: the place of a value has a meaning.

        Raises
        ------
        ProtocolError
            When a value is neither text, number nor name.
        """
        return tuple(self._text(keyword, value) for value in self._decoded(keyword))

    def _text(self, keyword: str, value: Any) -> str:
        match value:
            case None:
                return ""
            case str():
                return value
            case bool():
                pass
            case int() | float():
                return str(value)
            case dict():
                forms = _forms(value)
                if forms or self.vr(keyword) == "PN":
                    return next(iter(forms), "")
            case _:
                pass
        raise _odd(keyword, "text", value)

    def names(self, keyword: str) -> tuple[str, ...]:
        """Return a person's name in all its forms: alphabetic, ideographic, phonetic.

        Raises
        ------
        ProtocolError
            When a value is neither a name nor text.
        """
        found: list[str] = []
        for value in self._decoded(keyword):
            forms = _forms(value) if isinstance(value, dict) else []
            found += forms or [self._text(keyword, value)]
        return tuple(found)

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
        return tuple(self._number(keyword, value) for value in self._given(keyword))

    def _given(self, keyword: str) -> list[Any]:
        """Return the values of an attribute of numbers; a blank text is as good as a null."""
        return [
            value
            for value in self._decoded(keyword)
            if value is not None and not (isinstance(value, str) and not value.strip(" \0"))
        ]

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
        return tuple(self._integer(keyword, value) for value in self._given(keyword))

    def _integer(self, keyword: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            return int(value)  # by way of a float, 64 bits would lose their last digits
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
        except _UNREADABLE as error:
            raise _odd(keyword, "a sequence of items", raw) from error
        return tuple(type(self)(_tidy(table)) for table in tables if table is not None)

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
                # Some writers break the lines, as in mail.
                inline = base64.b64decode("".join(element.InlineBinary.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise _odd(keyword, "Base64", element.InlineBinary) from error
        if inline is None and element.BulkDataURI is None:
            return None
        return BulkData(element.BulkDataURI, inline)

    def to_dict(self) -> dict[str, Any]:
        """Return the dataset as a plain DICOM JSON object.

        Raises
        ------
        ProtocolError
            When a value cannot be read.
        """
        model: dict[str, Any] = {}
        for tag, element in self._table.items():
            entry: dict[str, Any] = {"vr": element.vr}
            raw = self.raw(tag)
            if raw is not None:
                try:
                    entry["Value"] = _values.decode(raw)
                except _UNREADABLE as error:
                    raise _odd(tag, "an array of values", raw) from error
            if element.BulkDataURI is not None:
                entry["BulkDataURI"] = element.BulkDataURI
            if element.InlineBinary is not None:
                entry["InlineBinary"] = element.InlineBinary
            model[tag] = entry
        return model


def _forms(name: dict[str, Any]) -> list[str]:
    """Return the forms of a person's name that are there (PS3.18 F.2.2)."""
    forms = [name.get(form) for form in _NAME_FORMS]
    return [form for form in forms if isinstance(form, str) and form]


def _tidy(table: _Table) -> _Table:
    """Write tags in capitals, as the standard does and some archives do not; drop other keys."""
    if all(_STRICT_TAG(tag) for tag in table):
        return table
    return {tag.upper(): element for tag, element in table.items() if is_tag(tag)}


def _odd(keyword: str, wanted: str, value: Any) -> ProtocolError:
    shown = value[:400].decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return ProtocolError(
        f"The attribute {keyword_of(tag_of(keyword))} should be {wanted} and is {shown[:80]}."
    )
