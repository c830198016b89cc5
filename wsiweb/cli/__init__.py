"""The command ``wsiweb``: what the library does, from a shell.

Commands print for people; with ``--json`` they print for programs. Failures are one line on
stderr and exit status 1; a wrong call is exit status 2.
"""

from __future__ import annotations

import warnings
from typing import Any

import click

from wsiweb.cli import (
    archives,
    browse,
    jobs,
    measuring,
    reading,
    results,
    serving,
    storing,
    transfers,
)

__all__ = ["main"]


class _Group(click.Group):
    """Turns the library's errors and warnings into one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        from wsiweb.errors import WsiwebError

        try:
            with warnings.catch_warnings():
                warnings.showwarning = _say
                return super().invoke(ctx)
        except (WsiwebError, ValueError, IndexError) as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly: the reader (head, less) has seen enough
        except OSError as error:
            told = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            raise click.ClickException(told) from error
        except MemoryError as error:
            raise click.ClickException("There is not enough memory for that.") from error


def _say(message: Warning | str, *_: object) -> None:
    click.echo(f"Warning: {message}", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wsiweb")
def main() -> None:
    """Whole-slide pathology images over DICOMweb.

    TARGET is the base URL of a DICOMweb service (https://pacs.lab/dicom-web), the name of one
    (wsiweb archives), or a folder of DICOM files, which is read as if it were one.

    \b
    Try first:
      wsiweb demo                       make, serve, read and show a slide on this machine
      wsiweb browse TARGET              look for studies, and at slides, in the browser
      wsiweb slides TARGET              what is there?
      wsiweb thumbnail TARGET -o a.png  how does it look?
    """  # noqa: D301 - click wants the backspace itself


for command in (
    serving.demo,
    serving.serve,
    browse.browse,
    reading.studies,
    reading.slides,
    reading.info,
    reading.thumbnail,
    reading.region,
    reading.tile,
    results.results,
    results.stored,
    results.export,
    storing.send,
    transfers.import_folders,
    transfers.remove,
    transfers.download,
    transfers.copy,
    jobs.jobs,
    archives.archives,
    measuring.bench,
):
    main.add_command(command)
