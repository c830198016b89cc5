"""Faults by name: what users write, understood; and what there is, described."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from wsiweb.server.faults import answering, network, reading, storing, wording
from wsiweb.server.faults.options import options_of, written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb.server.faults.fault import Fault

__all__ = ["FAULTS", "PERSONALITIES", "descriptions", "fault", "faults_of", "parse"]

FAULTS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        network.Slow,
        network.LateAnswer,
        network.Busy,
        network.TooMany,
        network.Failing,
        network.Expired,
        network.Moved,
        network.Dropped,
        network.CrashAfterStore,
        network.Truncated,
        network.ShortAnswer,
        storing.Forgetful,
        storing.TooLarge,
        storing.NeedsType,
        storing.BlindToGzip,
        storing.SkipsOddParts,
        storing.CutAccepted,
        answering.Liar409,
        answering.StaleDuplicate,
        answering.Duplicate,
        answering.Partial400,
        answering.WrongStudy,
        answering.Nameless,
        answering.EmptySequences,
        wording.Xml,
        wording.InAList,
        wording.TextAnswer,
        wording.Silent,
        wording.NoContentType,
        wording.Charset,
        reading.NoContent,
        reading.PageLimit,
        reading.Unfiltered,
        reading.PickySearch,
        reading.WrongHost,
        reading.NoBulk,
        reading.NoType,
        reading.LastAccept,
        reading.OneFrame,
    )
}
"""Every fault, by its name."""

PERSONALITIES: dict[str, tuple[str, ...]] = {
    # Measured on Orthanc 1.10.1 with the DICOMweb plugin 1.7; tests/integration compares them.
    "orthanc-1.10": (
        "no-content-type:on=store,errors=yes",
        "empty-sequences",
        "needs-type",
        "blind-to-gzip",
        "cut-accepted",
        "skips-odd-parts",
        "wrong-study:conflict=yes",
        "partial-400",
        "stale-duplicate",
        "last-accept:on=frames",
    ),
    "google": (
        "xml:obeys=yes",
        "nameless:code=272",
        "duplicate:code=272,equal=no",
        "no-content",
        "picky-search",
    ),
    "azure": (
        "too-large:most=2147483648",
        "nameless:code=43264",
        "wrong-study:code=43265",
        "duplicate:code=45070,equal=yes",
        "no-content",
        "page-limit:most=200,default=100",
        "no-bulk",
    ),
    "dcm4chee": ("liar-409:rate=0.2", "unfiltered"),
    "dcmjs": ("text-answer", "no-type"),
}
"""Sets of faults by the server that has them; the first of a set is nearest to the client."""


def fault(name: str, /, **options: Any) -> Fault:
    """Return a fault.

    Parameters
    ----------
    name : str
        One of `FAULTS`.
    **options
        Those of the fault, and those of all (`Fault`): on, after, every, times, rate, seed.

    Raises
    ------
    ValueError
        For a name that no fault has, or an option that it does not take.

    Examples
    --------
    >>> str(fault("busy", every=3, times=10))
    'busy:every=3,times=10'
    """
    kind = _known(name, FAULTS)
    known = options_of(kind)
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}.{_meant(option, known)}")
    return kind(**options)


def parse(text: str) -> tuple[Fault, ...]:
    """Understand a fault, or a set of them, as users write it.

    Parameters
    ----------
    text : str
        ``NAME``, ``NAME:OPTION=VALUE,OPTION=VALUE``, or one of `PERSONALITIES`.

    Raises
    ------
    ValueError
        For what is neither; it says what comes close, or what an option takes.

    Examples
    --------
    >>> [str(one) for one in parse("dropped: taken=1000, every=4")]
    ['dropped:every=4,taken=1000']
    >>> [str(one) for one in parse("dcmjs")]
    ['text-answer', 'no-type']
    """
    name, colon, rest = text.partition(":")
    name = name.strip()
    _known(name, FAULTS | PERSONALITIES)
    if name in PERSONALITIES:
        if colon:
            raise ValueError(
                f"{name} is a set of faults and takes no options. Name them one by one instead: "
                + " ".join(PERSONALITIES[name])
            )
        return tuple(one for part in PERSONALITIES[name] for one in parse(part))
    return (fault(name, **_options(FAULTS[name], rest if colon else None)),)


def faults_of(given: Iterable[Fault | str]) -> tuple[Fault, ...]:
    """Return faults, of which some may be given as text.

    Raises
    ------
    ValueError
        As of `parse`.
    """
    several = [given] if isinstance(given, str) else given
    return tuple(
        one for each in several for one in (parse(each) if isinstance(each, str) else (each,))
    )


def descriptions() -> str:
    """Return all faults, their options, and the sets of them, for people to read."""
    lines = ["Faults, as NAME:OPTION=VALUE,OPTION=VALUE:"]
    for name, kind in FAULTS.items():
        lines.append(f"  {name:18} {(kind.__doc__ or '').splitlines()[0]}")
        lines += _described(kind, without=options_of(network.Refusing))
    lines += ["", "Options of all; of those that refuse, body too:"]
    lines += _described(network.Refusing, without=())
    lines += ["", "Sets of faults:"]
    lines += [f"  {name:18} {' '.join(parts)}" for name, parts in PERSONALITIES.items()]
    return "\n".join(lines)


def _described(kind: type[Fault], *, without: Iterable[str]) -> list[str]:
    return [
        f"  {'':18}   {name}: {known.words}"
        + ("" if known.default is None else f" [{written(known.default)}]")
        for name, known in options_of(kind).items()
        if name not in without
    ]


def _known(name: str, names: Iterable[str]) -> Any:
    table = dict.fromkeys(names)
    if name not in table:
        raise ValueError(f"There is no fault {name!r}.{_meant(name, table)}")
    return FAULTS.get(name)


def _meant(name: str, names: Iterable[str]) -> str:
    """Say which names come close, or all if none does."""
    names = list(names)
    close = difflib.get_close_matches(name[:80], names)
    return f" Did you mean {' or '.join(close)}?" if close else f" There are: {', '.join(names)}."


def _options(kind: type[Fault], text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    known = options_of(kind)
    options: dict[str, Any] = {}
    for pair in text.split(","):
        name, equals, value = (piece.strip() for piece in pair.partition("="))
        name = name.replace("-", "_")
        if not equals or not name or name in options:
            raise ValueError(
                f"{kind.name}: {pair.strip()!r} is not OPTION=VALUE, each option once; such as "
                f"{kind.name}:every=3,times=10."
            )
        options[name] = value
        if name in known:  # others are refused by `fault`, which says what there is
            options[name] = _value(kind, name, value)
    return options


def _value(kind: type[Fault], name: str, text: str) -> bool | float | str | None:
    known = options_of(kind)[name]
    try:
        return known.read(text)
    except ValueError:
        raise ValueError(f"{kind.name}: {name} is {text!r}; it takes {known.wanted}.") from None
