"""The document capabilities.md, out of what the probes found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsiweb_benchmarks.capabilities.storing import Case

__all__ = ["document", "row"]

_INTRODUCTION = """\
# What the libraries can do

All of this was found by running them: `python -m wsiweb_benchmarks.capabilities --out
capabilities.md` writes this document, and the tests run it with `--check`, so that a line that is
no longer true fails.

Versions: {versions}.

## Storing: what the caller is told, beside what the archive holds

Each line is an archive that is given 12 objects of 100 kB, by `archive.store(paths).wait()` of
wsiweb and `DICOMwebClient(url).store_instances(datasets)` of dicomweb-client, both as they come,
with the retries that they do by themselves. The archive is the embedded server with faults of real
ones (`wsiweb serve --fault`), or Orthanc itself. Afterwards what lies in the archive is compared
with what was given, value by value.

- *stored*: all are there, and the library names each.
- *stored, no word of each object*: all are there; the call returned, and its answer is empty.
- *told which*: what is there and what is not is named, object by object.
- *not said which*: an exception; the caller has to find out what is there.
- *false alarm*: an exception, although all are there.
- **lost**: said to be stored, and not there, or another object is.

"""


def document(
    cases: Iterable[Case],
    libraries: Iterable[str],
    found: Mapping[tuple[str, Case], str],
    versions: Mapping[str, str],
) -> str:
    """Return the document, in Markdown.

    Parameters
    ----------
    cases : iterable of Case
        In order.
    libraries : iterable of str
        The columns.
    found : mapping
        Verdicts, by library and case.
    versions : mapping
        By library.
    """
    libraries = tuple(libraries)
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    head = _cells(("what happens", "seen at", *libraries))
    line = _cells(["---"] * (2 + len(libraries)))
    rows = [row(case, [found[library, case] for library in libraries]) for case in cases]
    return _INTRODUCTION.format(versions=said) + "\n".join([head, line, *rows]) + "\n"


def row(case: Case, verdicts: Iterable[str]) -> str:
    """Return the line of one case."""
    return _cells((case.name, case.server, *verdicts))


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
