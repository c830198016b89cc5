"""ez-wsi-dicomweb: patches of slides in Google's DICOM store; here, in any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

try:
    from ez_wsi_dicomweb import credential_factory, dicom_slide, dicom_web_interface
    from ez_wsi_dicomweb.ml_toolkit import dicom_path
    from ez_wsi_dicomweb.slide_level_map import ImageDimensions
except AttributeError as error:
    # Its dataclasses-json wants marshmallow 3, wsidicom wants 4: pip settles on a dataclasses-json
    # of 2019, which ez-wsi-dicomweb cannot be imported with.
    raise ImportError(
        f"ez-wsi-dicomweb cannot be imported beside wsidicom ({error}); what mends it: "
        "pip install --no-deps 'dataclasses-json>=0.6' typing-inspect mypy-extensions"
    ) from error

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from ez_wsi_dicomweb.slide_level_map import Level

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

TRANSFER_SYNTAX = "00020010"
WORKED_AROUND = (
    "worked around: the transfer syntax, which only Google's store gives in its answer to a "
    "search (as 0002,0010), is added to the answer; since 6.1 any base URL will do; TILED_SPARSE "
    "opens without its frames' positions and is not read (DicomPatchGenerationError); an RGB JPEG "
    "without an Adobe marker is taken for YCbCr"
)


class _Headers(credential_factory.NoAuthCredentials):
    """Credentials that are request headers; `NoAuthCredentials` where there are none."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self._headers = headers

    @property
    def valid(self) -> bool:
        return True

    def apply(self, headers: dict[str, str], token: str | None = None) -> None:  # noqa: ARG002
        headers.update(self._headers)

    def refresh(self, request: object) -> None:
        """Nothing expires."""


class Naive:
    """Patches, each of whose frames is a request."""

    way: ClassVar[Way] = Way(
        library="ez-wsi-dicomweb",
        name="naive",
        how="DicomSlide, then get_patch(...).image_bytes() without a cache: one request and one "
        f"connection per frame; {WORKED_AROUND}",
    )

    def __init__(self, source: Source) -> None:
        self._source = source
        self._interface = dicom_web_interface.DicomWebInterface(
            credential_factory.GoogleAuthCredentialFactory(_Headers(source.headers))
        )
        self._slide: dicom_slide.DicomSlide | None = None
        self._levels: list[Level] = []

    def open(self) -> None:
        """Ask for the instances, add what only Google's store answers, and sort the levels."""
        info = self._source.slide
        path = dicom_path.FromString(
            f"{self._source.url}/studies/{info.study_uid}/series/{info.series_uid}"
        )
        syntaxes = {level.instance_uid: level.transfer_syntax for level in info.levels}
        instances = self._interface.get_instances(path)
        for instance in instances:
            syntax = syntaxes.get(instance.sop_instance_uid, info.levels[0].transfer_syntax)
            instance.dicom_tags.setdefault(TRANSFER_SYNTAX, {"vr": "UI", "Value": [syntax]})
        self._slide = dicom_slide.DicomSlide(self._interface, path, instances=instances)
        by_size = {(level.width, level.height): level for level in self._slide.levels}
        self._levels = [by_size[level.size] for level in info.levels]

    def thumbnail(self, size: int) -> np.ndarray:
        """Have the smallest sufficient level resized."""
        enough = [level for level in self._levels if max(level.width, level.height) >= size]
        level = enough[-1] if enough else self._levels[0]
        scale = size / max(level.width, level.height)
        small = level.resize(
            ImageDimensions(round(level.width * scale), round(level.height * scale))
        )
        image = self._opened.get_image(small)
        self._prepare([image.get_image_as_patch()])
        return image.image_bytes()

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Get a patch."""
        patch = self._opened.get_patch(self._levels[level], *location, *size)
        self._prepare([patch])
        return patch.image_bytes()

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Get a patch for each tile, after all of them were announced."""
        patches = [self._patch(level, *tile) for tile in tiles]
        self._prepare(patches)
        for patch in patches:
            yield patch.image_bytes()

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Get a patch of the size of a tile."""
        return self._patch(level, column, row).image_bytes()

    def close(self) -> None:
        """Let go of the slide and its cache; each request has a connection of its own."""
        self._slide = None

    def _patch(self, level: int, column: int, row: int) -> dicom_slide.DicomPatch:
        chosen = self._levels[level]
        width, height = chosen.frame_width, chosen.frame_height
        return self._opened.get_patch(chosen, column * width, row * height, width, height)

    def _prepare(self, patches: Sequence[dicom_slide.DicomPatch]) -> None:
        """Do nothing before patches are read."""

    @property
    def _opened(self) -> dicom_slide.DicomSlide:
        if self._slide is None:
            raise ValueError("open() comes first")
        return self._slide


class Fast(Naive):
    """With the frame cache, and patches preloaded into it."""

    way: ClassVar[Way] = Way(
        library="ez-wsi-dicomweb",
        name="fast",
        how="DicomSlide.init_slide_frame_cache without whole instances (by default it downloads "
        "those of fewer than 10,000 frames for the first one of them), "
        "preload_patches_in_frame_cache (lists of up to 400 frames, two at a time), then "
        "get_patch(...).image_bytes(); a tile alone makes the cache fetch 500 frames from it on; "
        f"{WORKED_AROUND}",
    )

    def open(self) -> None:
        """Open, with a cache."""
        super().open()
        self._opened.init_slide_frame_cache(
            max_instance_number_of_frames_to_prefer_whole_instance_download=0
        )

    def _prepare(self, patches: Sequence[dicom_slide.DicomPatch]) -> None:
        self._opened.preload_patches_in_frame_cache(patches)


ADAPTERS = (Fast, Naive)
