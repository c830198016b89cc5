"""Commands that give archives names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.cli.options import with_json
from wsiweb.cli.printing import print_json, print_table
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["archives"]


@click.group()
def archives() -> None:
    """Give archives names, to be used wherever a TARGET is asked for.

    No password is kept. It is asked for, or taken from the environment variable
    WSIWEB_PASSWORD_NAME (a bearer token from WSIWEB_TOKEN_NAME), or from the system's keyring:
    pip install "wsiweb[keyring]", and keyring set wsiweb:NAME USER.
    """


@archives.command("list")
@with_json
def list_archives(*, as_json: bool) -> None:
    """List the archives that have a name."""
    from wsiweb import names

    rows = [_shown(one.to_dict()) for one in names.known().values()]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No archive has a name. To give one: wsiweb archives add NAME URL")
    else:
        columns = ["name", "url", "user", "store_user", "store_url", "ca"]
        print_table(rows, {one: one.replace("_", " ") for one in columns if _used(one, rows)})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is set of an archive as it may be printed: an address may hold a secret."""
    return {name: shown(value) if name.endswith("url") else value for name, value in row.items()}


def _used(column: str, rows: Sequence[dict[str, object]]) -> bool:
    return any(column in row for row in rows)


@archives.command()
@click.argument("name")
@click.argument("url")
@click.option("--user", default="", metavar="USER", help="User for Basic authentication.")
@click.option("--store-user", default="", metavar="USER", help="Another user for what is stored.")
@click.option("--store-url", default="", metavar="URL", help="Another URL for what is stored.")
@click.option("--ca", default="", metavar="FILE", help="CA bundle (PEM) to trust, or 'system'.")
@click.option(
    "--header",
    multiple=True,
    metavar="NAME:VALUE",
    help="Extra header; repeatable. ${VARIABLE} stands for an environment variable.",
)
def add(
    name: str,
    url: str,
    *,
    user: str,
    store_user: str,
    store_url: str,
    ca: str,
    header: Sequence[str],
) -> None:
    """Call the archive at URL, or a folder, NAME."""
    from wsiweb import names

    pairs = [line.partition(":") for line in header]
    if not all(colon for _, colon, _ in pairs):
        raise click.UsageError("--header takes NAME:VALUE.")
    path = names.add(
        names.NamedArchive(
            name=name,
            url=url if "://" in url else str(_folder(url)),
            user=user,
            store_user=store_user,
            store_url=store_url,
            ca=ca if ca in {"", "system"} else str(Path(ca).expanduser().resolve()),
            headers={head.strip(): value.strip() for head, _, value in pairs},
        )
    )
    click.echo(f"{name} stands in {path}")


def _folder(text: str) -> Path:
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise click.ClickException(
            f"There is no folder {text!r}. (A URL begins with https:// or http://.)"
        )
    return folder


@archives.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a name; the archive, and what waits for it, stay as they are."""
    from wsiweb import names

    names.remove(name)
    click.echo(f"{name} is forgotten.")
