"""Options that several commands share: what to read, how to get in, what to print."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from wsiweb.archive import Archive
    from wsiweb.slide import Slide

__all__ = [
    "connect_to",
    "credentials",
    "on_archive",
    "on_slide",
    "open_archive",
    "pair",
    "ways_in",
    "with_filters",
    "with_json",
    "with_output",
]

_OPEN = "wsiweb.archive"  # of a command's context: what it reads from


def on_archive(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command TARGET and how to get in; it is called with the open archive."""

    @functools.wraps(command)
    def connected(
        *, target: str, user: str | None, header: Sequence[str], ca: str | None, **rest: Any
    ) -> Any:
        with connect_to(target, user, header, ca) as archive:
            click.get_current_context().meta[_OPEN] = target, archive
            return command(archive, **rest)

    return click.argument("target")(ways_in(connected))


def connect_to(
    target: str,
    user: str | None = None,
    header: Sequence[str] = (),
    ca: str | None = None,
    *,
    general: bool = True,
) -> Archive:
    """Connect to a TARGET, which may be a name.

    Parameters
    ----------
    target, user, header, ca
        As they were given.
    general : bool
        Whether credentials may be taken that are not of this very archive; see
        `wsiweb.names.NamedArchive.auth`.
    """
    import wsiweb
    from wsiweb import names

    named = names.find(target)
    if named is None:
        auth = credentials(user, header) if general or user or header else None
        return wsiweb.connect(target, auth=auth, ca=ca)
    if user is not None:
        named = dataclasses.replace(named, user=user)
    return wsiweb.connect(
        named.url,
        auth=credentials(user, header) if header else named.auth(_ask, general=general),
        ca=ca or named.ca or None,
        store_auth=named.store_auth(_ask, general=general),
        store_url=named.store_url or None,
    )


def open_archive(target: str) -> Archive | None:
    """Return the archive that this command has open already; None if that is another one."""
    opened = click.get_current_context().meta.get(_OPEN)
    return opened[1] if opened is not None and opened[0] == target else None


def _ask(user: str) -> str:
    try:
        return click.prompt(f"Password of {user}", hide_input=True, err=True)
    except click.Abort:  # nobody is there to be asked, or does not want to
        raise click.ClickException(
            f"There is no password of {user}: set the environment variable WSIWEB_PASSWORD, or "
            "for an archive with a name WSIWEB_PASSWORD_NAME."
        ) from None


def ways_in(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how to get in."""
    for decorate in (
        click.option("--ca", metavar="FILE", help="CA bundle (PEM) to trust, or 'system'."),
        click.option(
            "--header", multiple=True, metavar="NAME:VALUE", help="Extra header; repeatable."
        ),
        click.option(
            "--user",
            metavar="NAME",
            help="User for Basic authentication; the password is asked for, or taken from the "
            "environment variable WSIWEB_PASSWORD. A bearer token is taken from WSIWEB_TOKEN.",
        ),
    ):
        command = decorate(command)
    return command


def credentials(user: str | None, header: Sequence[str]) -> Any:
    """Return what `wsiweb.connect` takes, of options and environment variables."""
    from wsiweb import HeaderAuth

    token = os.environ.get("WSIWEB_TOKEN")
    if header:
        if user is not None:
            raise click.UsageError("Give --user or --header, not both.")
        pairs = [line.partition(":") for line in header]
        if not all(colon for _, colon, _ in pairs):
            raise click.UsageError("--header takes NAME:VALUE.")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {name.strip(): value.strip() for name, _, value in pairs}
        return HeaderAuth(headers)
    if user is not None:
        password = os.environ.get("WSIWEB_PASSWORD")
        if password is None:
            password = _ask(user)
        return (user, password)
    return token or None


def on_slide(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command TARGET and the choice of a slide; it is called with the open slide."""

    @functools.wraps(command)
    def opened(archive: Archive, *, study: str | None, series: str | None, **rest: Any) -> Any:
        with _chosen(archive, study, series) as slide:
            return command(slide, **rest)

    for decorate in (
        click.option("--series", metavar="UID", help="Series Instance UID of the slide."),
        click.option("--study", metavar="UID", help="Study Instance UID of the slide."),
    ):
        opened = decorate(opened)
    return on_archive(opened)


def _chosen(archive: Archive, study: str | None, series: str | None) -> Slide:
    """Open the slide that was named, or the only one there is, besides what was made of it."""
    if study is not None:
        return archive.open_slide(study, series)
    found = archive.slides(limit=20, **({} if series is None else {"series_uid": series}))
    if not found:
        which = "slide" if series is None else f"slide with the series UID {series}"
        raise click.ClickException(f"There is no {which} in {shown(archive.url)}.")
    if len(found) == 1:
        return archive.open_slide(found[0])
    slide = _original(archive, {one.study_uid for one in found})
    if slide is None:
        lines = [f"  --study {one.study_uid} --series {one.series_uid}" for one in found]
        raise click.ClickException("\n".join(["There are several slides; choose one:", *lines]))
    click.echo(
        f"There are {len(found)} series; this is the slide that the others were made of: "
        f"{slide.series_uid}. For another say --series UID.",
        err=True,
    )
    return slide


def _original(archive: Archive, studies: Collection[str]) -> Slide | None:
    """Open the slide of one study, though there may be images in it that were made of that."""
    if len(studies) != 1:
        return None
    try:
        return archive.open_slide(*studies)
    except ValueError:  # there are several
        return None


def with_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the choice to print for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that narrow a search."""
    for decorate in (
        click.option("--limit", type=click.IntRange(min=1), help="Most to list."),
        click.option("--date", help="Study date, 20260131, or a range, 20260101-20261231."),
        click.option("--accession", "accession_number", help="Accession number."),
        click.option("--patient-name", help="Patient's name; * and ? are wildcards."),
        click.option("--patient-id", help="Patient ID; * and ? are wildcards."),
    ):
        command = decorate(command)
    return command


def with_output(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command a file to write."""
    return click.option(
        "--out",
        "-o",
        default=default,
        show_default=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write.",
    )


def pair(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Understand two whole numbers with a comma between them."""
    try:
        first, second = (int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not two whole numbers, such as 100,200.") from None
    return first, second
