"""The slide model: what a series of instances amounts to, as frozen values.

A `Pyramid` has levels, the finest first, and may have a label, an overview and a thumbnail, each of
which is a `TiledImage`. `wsiweb.pixels.headers` makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from wsiweb.errors import SlideError
from wsiweb.pixels.image import TiledImage

__all__ = ["LeftOut", "Level", "Pyramid"]

# What objectives are sold as; a computed magnification is rounded to the nearest.
_OBJECTIVES = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
_MPP_SLACK = 1.01  # a level 1 % coarser than asked is still what was meant


@dataclass(frozen=True, kw_only=True, repr=False)
class Level(TiledImage):
    """One level of a pyramid.

    Attributes
    ----------
    index : int
        Zero-based; 0 is the finest.
    downsample : float
        Level-0 pixels that one pixel spans along an edge. A whole number where one explains
        the sizes, whichever way they were rounded.
    """

    index: int
    downsample: float

    def __repr__(self) -> str:
        return f"<Level {self.index}: {self._in_brief()}>"

    @classmethod
    def of(cls, image: TiledImage, index: int, base: TiledImage) -> Level:
        """Return `image` as a level of the pyramid whose finest level is `base`."""
        values = {each.name: getattr(image, each.name) for each in fields(TiledImage)}
        return cls(**values, index=index, downsample=_downsample(base, image))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An instance of the series that is no part of the pyramid, and why.

    Attributes
    ----------
    instance_uid : str
        SOPInstanceUID.
    reason : str
        In words, for a person.
    """

    instance_uid: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pyramid:
    """A slide, as the headers of its series describe it.

    Attributes
    ----------
    study_uid, series_uid : str
        Where it is kept.
    levels : tuple of Level
        Finest first; at least one.
    label, overview, thumbnail : TiledImage or None
        The images beside the pyramid.
    left_out : tuple of LeftOut
        Instances of the series that were not used, and why.
    frame_of_reference_uid : str
        The slide coordinate system that all levels share; may be empty.
    container_id : str
        ContainerIdentifier, what is written on the glass; may be empty.
    objective_power : float or None
        ObjectiveLensPower, if stated.
    """

    study_uid: str
    series_uid: str
    levels: tuple[Level, ...]
    label: TiledImage | None = None
    overview: TiledImage | None = None
    thumbnail: TiledImage | None = None
    left_out: tuple[LeftOut, ...] = ()
    frame_of_reference_uid: str = ""
    container_id: str = ""
    objective_power: float | None = None

    @property
    def mpp(self) -> tuple[float, float] | None:
        """Micrometres per pixel (x, y) of the finest level, if stated."""
        return self.levels[0].mpp

    @property
    def magnification(self) -> float | None:
        """ObjectiveLensPower; else what spacing suggests (10 / mpp, to a usual objective)."""
        if self.objective_power is not None:
            return self.objective_power
        if self.mpp is None:
            return None
        power = 20 / sum(self.mpp)
        return min(_OBJECTIVES, key=lambda usual: abs(math.log(usual / power)))

    def level_of(self, uid: str) -> Level | None:
        """Return the level that an instance, or a concatenation as a whole, belongs to.

        Parameters
        ----------
        uid : str
            SOPInstanceUID that something refers to: that of any part, or of the whole.

        Returns
        -------
        Level or None
            None for an instance that is no part of a level.
        """
        return next((level for level in self.levels if level.is_known_as(uid)), None)

    def level_for_downsample(self, downsample: float) -> Level:
        """Return the coarsest level that is not coarser than a downsample.

        The same choice as OpenSlide's ``get_best_level_for_downsample``.

        Raises
        ------
        ValueError
            If `downsample` is not a positive number.
        """
        if not downsample > 0:
            raise ValueError(f"A downsample is a positive number, not {downsample!r}.")
        fine = [level for level in self.levels if level.downsample <= downsample]
        return fine[-1] if fine else self.levels[0]

    def level_for_mpp(self, mpp: float) -> Level:
        """Return the coarsest level that still has the detail of `mpp`.

        Parameters
        ----------
        mpp : float
            Micrometres per pixel that are wanted. A level up to 1 % coarser still counts.

        Raises
        ------
        ValueError
            If `mpp` is not a positive number.
        SlideError
            If the slide does not state its spacing.
        """
        if not mpp > 0:
            raise ValueError(f"Micrometres per pixel are a positive number, not {mpp!r}.")
        if self.mpp is None:
            raise SlideError(
                f"Series {self.series_uid} does not state its PixelSpacing, so there is no level "
                "for a given mpp; ask for a level or a downsample."
            )
        return self.level_for_downsample(mpp * _MPP_SLACK / (sum(self.mpp) / 2))


def _downsample(base: TiledImage, image: TiledImage) -> float:
    """Return how much coarser `image` is than `base`.

    Sizes are whole, so their ratio is only near the factor that a scanner divided by; spacing
    may be written with few decimals. A whole factor that explains both edges is taken to be
    the true one: first what spacing says, then a power of two, then the nearest.
    """
    ratios = [whole / part for whole, part in zip(base.size, image.size, strict=True)]
    mean = sum(ratios) / 2
    spacing = None
    if base.mpp is not None and image.mpp is not None:
        spacing = (image.mpp[0] / base.mpp[0] + image.mpp[1] / base.mpp[1]) / 2
        if abs(spacing / mean - 1) > 0.1:
            spacing = None  # far from what the sizes say: one of the two is wrong, and sizes rule
    candidates: list[int] = []
    if spacing is not None and abs(spacing - round(spacing)) < 1e-4 * spacing:
        candidates.append(round(spacing))
    power = math.floor(math.log2(max(mean, 1)))
    candidates += sorted((2**power, 2 ** (power + 1)), key=lambda factor: abs(factor - mean))
    candidates += sorted({math.floor(mean), math.ceil(mean)}, key=lambda whole: abs(whole - mean))
    for factor in candidates:
        if factor >= 1 and _explains(factor, base.size, image.size):
            return float(factor)
    return mean if spacing is None else spacing


def _explains(factor: int, whole: tuple[int, int], part: tuple[int, int]) -> bool:
    """Whether dividing `whole` by `factor` gives `part`, rounded down or up."""
    return all(b in {a // factor, -(-a // factor)} for a, b in zip(whole, part, strict=True))
