"""The file that says what archives are called: read, and changed so that the rest of it stays."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tempfile
import tomllib
import warnings
from pathlib import Path
from typing import Any

from wsiweb.names.named import SECRET, NamedArchive, folded, is_name
from wsiweb.wire.uris import shown

__all__ = ["add", "config_file", "find", "known", "of_url", "remove"]


def config_file() -> Path:
    """Return where the file is, or will be."""
    import platformdirs

    return Path(platformdirs.user_config_path("wsiweb")) / "archives.toml"


def known() -> dict[str, NamedArchive]:
    """Return all archives that have a name.

    Raises
    ------
    ValueError
        When the file cannot be understood; the message says where.
    """
    path = config_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error
    try:
        return _parsed(text)
    except ValueError as error:  # of TOML, too
        raise ValueError(f"{path}: {error}") from error


def _parsed(text: str) -> dict[str, NamedArchive]:
    allowed = {one.name for one in dataclasses.fields(NamedArchive)} - {"name"}
    found: dict[str, NamedArchive] = {}
    variables: dict[str, str] = {}
    for name, table in tomllib.loads(text).items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} stands in no table: an archive begins with its [name].")  # noqa: TRY004
        values: dict[str, Any] = table
        if "url" not in values:
            raise ValueError(f"The archive {name} has no url.")
        if odd := sorted(values.keys() - allowed):
            secret = any(SECRET.search(one) for one in odd)
            hint = " A secret does not belong in this file." if secret else ""
            raise ValueError(
                f"The archive {name} has {', '.join(odd)}, which is none of "
                f"{', '.join(sorted(allowed))}.{hint}"
            )
        found[name] = NamedArchive(name=name, **values)
        other = variables.setdefault(folded(name), name)
        if other != name:
            raise ValueError(
                f"The names {other} and {name} are too much alike: they would share passwords."
            )
    return found


def find(target: str) -> NamedArchive | None:
    """Return the archive that a user means by a word; None if it is no name of one.

    Where a folder of the same name is here, the archive is meant: a warning says so.

    Raises
    ------
    ValueError
        When the file cannot be understood.
    """
    if not is_name(target):
        return None
    found = known().get(target)
    if found is not None and Path(target).is_dir():
        warnings.warn(
            f"{target} is taken for the archive {shown(found.url)}; the folder of that name is "
            f"./{target}",
            stacklevel=3,
        )
    return found


def of_url(url: str) -> NamedArchive | None:
    """Return the archive at a base URL; None if it has no name, or several.

    Parameters
    ----------
    url : str
        As `wsiweb.Archive.url`, or as that may be shown: of a folder it begins with ``file://``.
    """
    found = [one for one in known().values() if shown(_base_url(one)) == shown(url)]
    return found[0] if len(found) == 1 else None


def _base_url(archive: NamedArchive) -> str:
    if "://" in archive.url:
        return archive.url
    return Path(archive.url).expanduser().resolve().as_uri()


def add(archive: NamedArchive) -> Path:
    """Give an archive a name.

    Returns
    -------
    Path
        The file in which it stands now.

    Raises
    ------
    ValueError
        When that name is taken.
    OSError
        When the file cannot be written.
    """
    there = known()
    if archive.name in there:
        raise ValueError(
            f"There is an archive {archive.name} already "
            f"({shown(there[archive.name].url)}): remove that first, or take another name."
        )
    path = config_file()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    values = archive.to_dict()
    lines = [f"[{values.pop('name')}]"]
    lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    _write(path, f"{before}{chr(10).join(lines)}\n", {**there, archive.name: archive})
    return path


def remove(name: str) -> None:
    """Forget the name of an archive; nothing else is removed.

    Raises
    ------
    ValueError
        When there is no archive of that name, or the file is too intricate to be changed here.
    OSError
        When the file cannot be written.
    """
    there = known()
    if name not in there:
        names = f"; there are {', '.join(there)}" if there else ""
        raise ValueError(f"There is no archive {name!r}{names}.")
    path = config_file()
    # Cut out of the text, so that what the user wrote besides stays: other tables and comments.
    kept: list[str] = []
    dropping = False
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.lstrip().startswith("["):
            head = re.match(r"\s*\[\s*[\"']?([A-Za-z0-9_-]+)", line)
            dropping = head is not None and head[1] == name
        if not dropping:
            kept.append(line)
    _write(path, "".join(kept), {other: one for other, one in there.items() if other != name})


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs: dict[str, str] = value
        return (
            f"{{ {', '.join(f'{_toml(name)} = {_toml(text)}' for name, text in pairs.items())} }}"
        )
    return json.dumps(value, ensure_ascii=False)  # printable text: the same in TOML


def _write(path: Path, text: str, meant: dict[str, NamedArchive]) -> None:
    """Replace the file, if its new text says what is meant; for this user alone."""
    try:
        understood = _parsed(text) == meant
    except tomllib.TOMLDecodeError:
        understood = False
    if not understood:
        raise ValueError(f"{path} is too intricate to be changed here: change it in an editor.")
    path = path.resolve()  # some keep it elsewhere, and a link here
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent)  # which only this user reads
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
