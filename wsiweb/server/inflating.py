"""Deflated datasets, inflated once and kept for a while.

Offsets in a deflated instance are those of its inflated dataset, all of which has to be made to
read one frame. Whoever asks for one asks for the next; so the latest are kept, within bounds.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, BinaryIO

from wsiweb.server.scan import body_of, read_syntax

if TYPE_CHECKING:
    from wsiweb.server.index import Instance

__all__ = ["Inflated"]

_MOST_KEPT = 256 * 2**20  # bytes of datasets

_Key = tuple[str, int, int]


class Inflated:
    """The datasets of deflated instances. Thread-safe: one is made at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._making = threading.Lock()

    def dataset(self, instance: Instance, handle: BinaryIO) -> BinaryIO:
        """Return the inflated dataset of an instance as a file.

        Parameters
        ----------
        instance : Instance
            Its row in the index.
        handle : binary file
            Its file, as it was indexed.

        Raises
        ------
        ProtocolError
            When it is damaged, or larger than is inflated.
        """
        key = instance.path, instance.size, instance.mtime
        with self._making:
            data = self._kept.pop(key, None)
            if data is None:
                data = body_of(handle, read_syntax(handle)[1]).read()
            if len(data) <= _MOST_KEPT:
                self._kept[key] = data
                while sum(map(len, self._kept.values())) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return io.BytesIO(data)
