"""What an archive says became of the objects that were sent to it (STOW-RS, PS3.18 10.5.3).

`read_answer` reads one HTTP answer in any of the forms that archives give it: datasets in JSON or
XML, a page, a word, or nothing at all. What an answer does not say is not guessed: it is `silent`,
and the archive has to be asked.

A `Receipt` is what a user gets in the end, of a whole job.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wsiweb.wire.forms import datasets_of, decoded
from wsiweb.wire.reasons import Meaning, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.wire.forms import Dataset

__all__ = ["Answer", "InstanceReceipt", "Meaning", "Receipt", "Verdict", "meaning", "read_answer"]

_REFERENCED, _FAILED, _OTHER = "00081199", "00081198", "0008119A"
_INSTANCE_UIDS = "00081155", "00080018"  # the referenced one; and what some write in its stead
_FAILURE_REASON, _WARNING_REASON = "00081197", "00081196"
_COMMENT = "00000902"
_FAILED_ATTRIBUTES = "00741048"  # Azure says there which value it dislikes, each with a comment
_LONGEST_TEXT = 1000  # characters of an archive's own words that are kept
_MARKUP = re.compile(r"<(style|script).*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_HEXADECIMAL = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{4})[hH]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer says of one object.

    Attributes
    ----------
    instance_uid : str
        SOP Instance UID; empty where the archive cannot say which object failed
        (OtherFailuresSequence, PS3.18 table I.1-1).
    stored : bool
        Whether the archive says that it holds the object.
    code : int or None
        FailureReason, or WarningReason of what is stored.
    comment : str
        The archive's own words.
    warning : bool
        Whether it is stored with a warning.
    """

    instance_uid: str
    stored: bool
    code: int | None = None
    comment: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a STOW request, read.

    Attributes
    ----------
    status : int
        HTTP status.
    verdicts : tuple of Verdict
        What is said of which object, what is stored first. An answer that contradicts itself has
        two of one object; the failure comes later.
    silent : bool
        Whether no object is named: the answer could not be read, or says nothing.
    text : str
        The archive's words outside of the verdicts, on one line; at most 1,000 characters.
    """

    status: int
    verdicts: tuple[Verdict, ...]
    silent: bool
    text: str


def read_answer(status: int, content_type: str, body: bytes) -> Answer:
    """Read an answer to a STOW request. Never raises, whatever has come.

    Parameters
    ----------
    status : int
        HTTP status. It is kept and not interpreted: archives answer 409 and have stored, and 200
        and have not.
    content_type : str
        The header; empty when there is none. Of it only the character set counts.
    body : bytes
        The body, without its Content-Encoding.

    Returns
    -------
    Answer
        Silent where nothing is said of any object.

    Examples
    --------
    >>> read_answer(200, "text/plain", b"success")
    Answer(status=200, verdicts=(), silent=True, text='success')
    """
    text = decoded(content_type, body)
    datasets = datasets_of(text)
    verdicts = tuple(one for dataset in datasets for one in _verdicts(dataset))
    silent = not any(one.instance_uid for one in verdicts)
    if datasets:
        words = "; ".join(filter(None, map(_comment, datasets)))
    else:
        words = _without_markup(text) if text.startswith("<") else text
    return Answer(status=status, verdicts=verdicts, silent=silent, text=_line(words))


def _without_markup(page: str) -> str:
    import html  # which takes longer to import than all that is here

    return html.unescape(_MARKUP.sub(" ", page))


# What is said ---------------------------------------------------------------------------------


def _verdicts(dataset: Dataset) -> Iterator[Verdict]:
    for item in _items(dataset, _REFERENCED):
        failure = _code(item, _FAILURE_REASON)
        if failure:  # named among what is stored, and yet with a reason why it is not
            yield _failed(item, failure)
        elif uid := _uid(item):  # who is stored without a name helps nobody
            warning = _code(item, _WARNING_REASON) or None
            yield Verdict(
                instance_uid=uid,
                stored=True,
                code=warning,
                comment=_comment(item),
                warning=warning is not None,
            )
    for item in _items(dataset, _FAILED):
        yield _failed(item, _code(item, _FAILURE_REASON))
    for item in _items(dataset, _OTHER):
        yield dataclasses.replace(_failed(item, _code(item, _FAILURE_REASON)), instance_uid="")


def _failed(item: Dataset, code: int | None) -> Verdict:
    # 0 would be success: where it stands for a reason there is none.
    return Verdict(instance_uid=_uid(item), stored=False, code=code or None, comment=_comment(item))


def _items(dataset: Dataset, tag: str) -> list[Dataset]:
    return [one for one in dataset.get(tag, ()) if isinstance(one, dict)]


def _texts(dataset: Dataset, tag: str) -> list[str]:
    return [one for one in dataset.get(tag, ()) if isinstance(one, str)]


def _uid(item: Dataset) -> str:
    found = (text.strip(" \0") for tag in _INSTANCE_UIDS for text in _texts(item, tag))
    return next(filter(None, found), "")


def _code(item: Dataset, tag: str) -> int | None:
    """Return a reason as a number; some write it in hexadecimal, as the standard prints it."""
    for text in _texts(item, tag):
        hexadecimal = _HEXADECIMAL.fullmatch(text.strip())
        # Nobody writes a decimal number with a leading zero: "0110" is 272.
        is_decimal = text.strip().isdecimal() and not text.strip().startswith("0")
        if hexadecimal is not None and not is_decimal:
            return int(hexadecimal[1], 16)
        try:
            number = float(text)
        except ValueError:
            continue
        if number.is_integer() and 0 <= number <= 0xFFFF:
            return int(number)
    return None


def _comment(item: Dataset) -> str:
    """Return the archive's own words on an object, those on single attributes included."""
    words = _texts(item, _COMMENT)
    for attribute in _items(item, _FAILED_ATTRIBUTES):
        words += _texts(attribute, _COMMENT)
    return _line("; ".join(filter(None, words)))


def _line(text: str) -> str:
    line = " ".join(text.replace("\0", " ").split())
    return line if len(line) <= _LONGEST_TEXT else line[:_LONGEST_TEXT] + "…"


# Receipts -------------------------------------------------------------------------------------

State = Literal["stored", "already there", "failed", "cancelled", "queued"]
Proof = Literal["answer", "listed", "compared", ""]
_GOOD: frozenset[State] = frozenset({"stored", "already there"})
_SHOWN = 5  # objects of a receipt that its text names


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReceipt:
    """What became of one object.

    Attributes
    ----------
    instance_uid : str
        SOP Instance UID.
    state : {"stored", "already there", "failed", "cancelled", "queued"}
        "already there" means that the archive held the object before, and that it is equal; with
        the proof "listed", as far as is known, see the warnings.
    code : int or None
        The FailureReason or WarningReason that the archive gave last.
    reason : str
        Why it is not stored, in words.
    comment : str
        The archive's own words.
    warnings : tuple of str
        What the archive had to remark on what it stored.
    proof : {"answer", "listed", "compared", ""}
        How it is known to be stored: the archive said so; it lists the object; what it holds was
        compared with what was sent.
    """

    instance_uid: str
    state: State
    code: int | None = None
    reason: str = ""
    comment: str = ""
    warnings: tuple[str, ...] = ()
    proof: Proof = ""

    def __str__(self) -> str:
        text = f"{self.instance_uid}: {self.state}"
        if self.reason:
            text += f", {self.reason}"
        if self.comment:
            text += f" (the archive says: {self.comment})"
        return text


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of all objects of a job.

    Attributes
    ----------
    items : tuple of InstanceReceipt
        In the order in which they were given.

    Examples
    --------
    >>> good = InstanceReceipt(instance_uid="1.2", state="stored", proof="answer")
    >>> print(Receipt((good,)))
    1 object: all stored.
    >>> bad = InstanceReceipt(instance_uid="1.3", state="failed", reason="out of space")
    >>> print(Receipt((good, bad)))
    2 objects: 1 stored, 1 failed.
      1.3: failed, out of space
    """

    items: tuple[InstanceReceipt, ...]

    @property
    def stored(self) -> int:
        """How many the archive stored."""
        return self._count("stored")

    @property
    def already(self) -> int:
        """How many it held before, just so."""
        return self._count("already there")

    @property
    def failed(self) -> int:
        """How many it did not store, for good."""
        return self._count("failed")

    def _count(self, state: State) -> int:
        return sum(one.state == state for one in self.items)

    @property
    def ok(self) -> bool:
        """Whether the archive holds all of them."""
        return all(one.state in _GOOD for one in self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return {
            "ok": self.ok,
            "stored": self.stored,
            "already": self.already,
            "failed": self.failed,
            "items": [
                {**dataclasses.asdict(one), "warnings": list(one.warnings)} for one in self.items
            ],
        }

    def __str__(self) -> str:
        count = len(self.items)
        counts = Counter(one.state for one in self.items)
        said = ", ".join(f"{number} {state}" for state, number in counts.items())
        if count and counts["stored"] == count:
            said = "all stored"
        lines = [f"{count} object{'' if count == 1 else 's'}: {said or 'nothing to store'}."]
        bad = [one for one in self.items if one.state not in _GOOD]
        lines += [f"  {one}" for one in bad[:_SHOWN]]
        if len(bad) > _SHOWN:
            lines.append(f"  and {len(bad) - _SHOWN} more.")
        return "\n".join(lines)
