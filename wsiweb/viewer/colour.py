"""ICC profiles (PS3.3 C.11.15): where they are kept, and what becomes of pixels by them.

The profile belongs to the optical path of one instance. Nothing is fetched until colours are asked
for as sRGB.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.errors import SlideError
from wsiweb.pixels.optional import if_readable
from wsiweb.viewer.sharing import Shared
from wsiweb.wire.uris import Resource as Address

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.wire.dicomjson import Attributes, BulkData

__all__ = ["Profiles", "has_profile", "profile_in"]

_PROFILE = "ICCProfile"


def profile_in(header: Attributes, path: str) -> BulkData | None:
    """Return where an instance keeps the profile of an optical path; None where it has none.

    Parameters
    ----------
    header : Attributes
        Of the instance.
    path : str
        OpticalPathIdentifier; of an instance that does not name its paths, the first is taken.
    """
    paths = header.items("OpticalPathSequence")
    named = [item for item in paths if item.text("OpticalPathIdentifier").strip() == path]
    chosen = (named or list(paths))[:1]
    return chosen[0].bulk(_PROFILE) if chosen else None


def has_profile(header: Attributes) -> bool:
    """Whether any optical path of an instance has a profile."""
    nothing: tuple[Attributes, ...] = ()
    paths = if_readable(header.items, "OpticalPathSequence", nothing)
    return any(if_readable(item.bulk, _PROFILE, None) is not None for item in paths)


class Profiles:
    """The profiles of a slide, each fetched once; to be used on the library's event loop.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    pyramid : Pyramid
        The slide.
    """

    def __init__(self, client: DicomwebClient, pyramid: Pyramid) -> None:
        self._client = client
        self._uids = pyramid.study_uid, pyramid.series_uid
        self._shared = Shared()
        self._found: dict[tuple[str, str], _Conversion | None] = {}
        self._made: dict[bytes, _Conversion] = {}  # most instances have the same profile

    async def to_srgb(
        self, pixels: NDArray[np.uint8], instance_uid: str, path: str
    ) -> NDArray[np.uint8]:
        """Return pixels in sRGB; as they are where the instance has no profile.

        Parameters
        ----------
        pixels : numpy.ndarray
            Shape (height, width, 3).
        instance_uid : str
            The instance that they are of.
        path : str
            OpticalPathIdentifier.

        Raises
        ------
        ArchiveError
            When the profile cannot be had.
        SlideError
            When it is damaged, or is not one of RGB.
        """
        key = instance_uid, path
        if key not in self._found:
            self._found[key] = await self._shared.get(key, lambda: self._fetch(*key))
        conversion = self._found[key]
        return pixels if conversion is None else await loop.in_pool(conversion, pixels)

    async def _fetch(self, instance_uid: str, path: str) -> _Conversion | None:
        (header, *_) = await self._client.metadata(*self._uids, instance_uid)
        kept = profile_in(header, path)
        if kept is None:
            return None
        data = kept.inline
        if data is None:
            study, series = self._uids
            where = Address(study=study, series=series, instance=instance_uid, aspect="metadata")
            url = f"{self._client.base_url}/{where.path}"
            data = await self._client.bulkdata(kept.uri or "", document_url=url)
        if not data:
            return None
        if data not in self._made:
            self._made[data] = await loop.in_pool(_Conversion, data, instance_uid)
        return self._made[data]


class _Conversion:
    """Pixels of one profile to sRGB, with the intent that the profile states."""

    def __init__(self, profile: bytes, instance_uid: str) -> None:
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            self._transform: Any = ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                "RGB",
                "RGB",
                renderingIntent=ImageCms.Intent(ImageCms.getDefaultIntent(source)),
            )
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            raise SlideError(
                f"The ICC profile of instance {instance_uid} cannot be used ({error}); ask for "
                "colours as they are stored."
            ) from None

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        from PIL import Image

        image = Image.fromarray(np.ascontiguousarray(pixels))
        self._transform.apply_in_place(image)  # several threads may use one transform
        return np.asarray(image)
