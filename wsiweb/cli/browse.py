"""The command that shows archives in the browser."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsiweb.cli.options import connect_to, ways_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsiweb.archive import Archive

__all__ = ["browse", "open_in_browser"]

_PORT = 8788
_LOCAL = "local"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("targets", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"0 takes a free one [{_PORT}, or a free one if that is taken].",
)
@click.option("--no-open", is_flag=True, help="Only say the address; open no browser.")
@click.option("--read-only", is_flag=True, help="Show, and refuse all changes.")
@click.option("--certificate", type=_FILE, help="PEM file, for TLS: a must where others reach it.")
@click.option("--key", type=_FILE, help="PEM file with the key of the certificate.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Answer under this name too, as others call this machine; repeatable.",
)
@ways_in
def browse(  # noqa: PLR0913 - a function for each option would hide what the command takes
    targets: tuple[str, ...],
    *,
    host: str,
    port: int | None,
    no_open: bool,
    read_only: bool,
    certificate: Path | None,
    key: Path | None,
    allow_host: tuple[str, ...],
    user: str | None,
    header: Sequence[str],
    ca: str | None,
) -> None:
    """Look for studies in archives, and at their slides, in the browser.

    Each TARGET is a URL, a folder, or a name (wsiweb archives); all of them are in one list, and
    more can be added on the page. Without any: the archives that have a name, and the local one.

    The page is for this person on this machine: its address holds a key, and others cannot reach
    it. Ctrl-C ends it.
    """
    from wsiweb.browse import run
    from wsiweb.browse.pages import HOW_TO_BUILD, Pages

    if not Pages().built:
        raise click.ClickException(HOW_TO_BUILD)
    if (certificate is None) != (key is None):
        raise click.UsageError("Give both --certificate and --key, or neither.")
    tls = run.Tls(certificate, key) if certificate is not None and key is not None else None

    def ready(address: str, once: str) -> None:
        click.echo(f"Open {address}   (Ctrl-C ends)")
        if not no_open:
            open_in_browser(once)

    run.run_forever(
        _with_ways(targets or _all_known(), user, header, ca),
        host=host,
        port=_PORT if port is None else port,
        any_port=port is None,
        tls=tls,
        hosts=allow_host,
        read_only=read_only,
        on_ready=ready,
    )


def _all_known() -> tuple[str, ...]:
    from wsiweb import names

    return (*names.known(), _LOCAL)


def _with_ways(
    targets: Sequence[str], user: str | None, header: Sequence[str], ca: str | None
) -> list[tuple[str, Callable[[], Archive]]]:
    """Return the archives, and how to get in to each.

    Passwords that have to be asked for are asked for now: later nobody may be at the terminal.
    """
    from wsiweb import names

    away = [one for one in targets if "://" in one or names.find(one) is not None]
    if (user or header or ca) and len(away) != 1:
        raise click.UsageError(
            "--user, --header and --ca are for one archive, and there are "
            f"{len(away)}: give them names (wsiweb archives add), by which they are let in."
        )
    pairs: list[tuple[str, Callable[[], Archive]]] = []
    for one in targets:
        if one not in away:
            pairs.append((one, partial(_plain, one)))
            continue
        try:
            # What the environment holds for any archive is for a single one only.
            archive = connect_to(one, user, header, ca, general=len(away) == 1)
        except (click.ClickException, ValueError) as error:
            words = error.format_message() if isinstance(error, click.ClickException) else error
            pairs.append((one, partial(_refused, str(words))))  # the page says it; others are there
        else:
            pairs.append((one, partial(_same, archive)))
    return pairs


def _plain(target: str) -> Archive:
    import wsiweb

    return wsiweb.connect(target)


def _same(archive: Archive) -> Archive:
    return archive


def _refused(words: str) -> Archive:
    raise ValueError(words)


def open_in_browser(address: str) -> None:
    """Open an address in the user's browser, if there is a screen to show it on.

    Without one, Python would start a browser for terminals in this very terminal.
    """
    import webbrowser

    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
