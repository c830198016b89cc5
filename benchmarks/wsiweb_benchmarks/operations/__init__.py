"""What is measured: one module per kind of operation.

An operation draws its parameters from the slide (with a seed: the same for every library), does
its work through an `Adapter`, and can say by a direct decode what must come out. Adding one means
adding a module here and naming it in `MODULES`.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.judge import Judge
    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["MODULES", "SEED", "Operation", "operation_of", "operations"]

MODULES = ("opening", "thumbnail", "region", "tiles", "loops")
SEED = 20_240_101

Parameters = dict[str, Any]


class Operation(Protocol):
    """Something that is done with a slide.

    Attributes
    ----------
    name, about : str
        Name on the command line; one sentence for the report.
    opened : bool
        Whether `Adapter.open` is called before, untimed.
    exact : bool
        Whether pixels must be those of the direct decode; resampling is each library's own.
    """

    name: str
    about: str
    opened: bool
    exact: bool

    def draw(self, slide: SlideInfo) -> Parameters:
        """Choose what is read; sizes shrink to fit the slide. JSON values only."""
        ...

    def prepare(self, adapter: Adapter, parameters: Parameters) -> None:
        """Do what is not timed, after the slide was opened."""
        ...

    def run(
        self, adapter: Adapter, parameters: Parameters, take: Callable[[np.ndarray], None]
    ) -> None:
        """Do what is timed; each array goes to `take` when it is there, and is let go of."""
        ...

    def truth(self, judge: Judge, parameters: Parameters) -> Iterator[np.ndarray]:
        """Yield what must come out, from a direct decode."""
        ...


@functools.cache
def operations() -> Mapping[str, Operation]:
    """Return all operations by name, in the order of the report."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in MODULES)
    return {one.name: one for module in modules for one in module.OPERATIONS}


def operation_of(name: str) -> Operation:
    """Return an operation by name.

    Raises
    ------
    LookupError
        When there is none of this name.
    """
    known = operations()
    if name not in known:
        raise LookupError(f"There is no operation {name!r}, only {', '.join(known)}.")
    return known[name]
