"""Archives by name: where they are and how to get in, kept once for all commands and scripts.

A small file of the user, ``archives.toml``, says it::

    [lab]
    url = "https://pacs.lab/dicom-web"
    user = "reader"

No secret ever stands in it. Passwords and tokens come from environment variables, or from the
system's keyring if the package of that name is installed.
"""

from __future__ import annotations

from wsiweb.names.file import add, config_file, find, known, of_url, remove
from wsiweb.names.named import NamedArchive

__all__ = ["NamedArchive", "add", "config_file", "find", "known", "of_url", "remove"]
