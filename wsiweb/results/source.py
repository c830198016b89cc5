"""The slide that results are about, as highdicom wants it.

highdicom copies identity (patient, study, specimen, container, frame of reference) out of the
headers of the source. Real archives leave attributes out that may be empty, and spell others in
ways that it refuses; here they are mended, and what cannot be is refused in words.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from wsiweb.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Source"]

# Attributes of type 2: they must be there, and may be empty (PS3.3 C.7.1.1, C.7.2.1).
_MAY_BE_EMPTY = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)
_SEXES = frozenset({"M", "F", "O", ""})
_PER_FRAME = "52009230"  # of a sparse slide it is far larger than all the rest, and not needed
_UTF8 = "ISO_IR 192"


class Source:
    """The headers of a slide.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    headers : iterable of Attributes
        The metadata of its series.
    """

    def __init__(self, pyramid: Pyramid, headers: Iterable[Attributes]) -> None:
        self.pyramid = pyramid
        self._headers = {one.text("SOPInstanceUID").strip(): one for one in headers}
        self._datasets: dict[int, Dataset] = {}

    def dataset(self, level: int = 0) -> Dataset:
        """Return the header of a level: without pixels and without what is said per frame.

        Parameters
        ----------
        level : int
            Zero-based level.

        Returns
        -------
        pydicom.Dataset
            Shared between calls: not to be changed. Text is in UTF-8, missing attributes of type 2
            are there and empty.

        Raises
        ------
        SlideError
            For a header without which nothing can be placed on the slide; names attribute and
            instance.
        """
        if level not in self._datasets:
            self._datasets[level] = self._made(level)
        return self._datasets[level]

    def _made(self, level: int) -> Dataset:
        from pydicom.dataset import Dataset

        image = self.pyramid.levels[level]
        uid = image.instance_uids[0]
        try:
            model = self._headers[uid].to_dict()
        except KeyError:
            raise SlideError(
                f"Instance {uid} was there when the slide was opened, and is no more: open it anew."
            ) from None
        model.pop(_PER_FRAME, None)
        dataset = Dataset.from_json(model, bulk_data_uri_handler=_left_out)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in dataset:
                setattr(dataset, keyword, None)
        if (dataset.PatientSex or "").strip().upper() not in _SEXES:
            dataset.PatientSex = None  # such as "U", which some write for unknown
        dataset.SpecificCharacterSet = _UTF8
        _check_placed(dataset, uid)
        return dataset


def _left_out(*_: Any) -> None:
    """Leave bulk data out: profiles and pixels, of which results have their own."""


def _check_placed(dataset: Dataset, uid: str) -> None:
    for keyword in ("FrameOfReferenceUID", "ImageOrientationSlide"):
        if not dataset.get(keyword):
            raise SlideError(
                f"Instance {uid}: {keyword} is missing, so nothing that is made for this slide "
                "could say where on it it lies."
            )
    if not dataset.get("TotalPixelMatrixOriginSequence"):
        warnings.warn(
            f"Instance {uid}: TotalPixelMatrixOriginSequence is missing; results are placed as if "
            "the image began at the origin of the slide coordinate system.",
            stacklevel=2,
        )
        origin = type(dataset)()
        origin.XOffsetInSlideCoordinateSystem = 0.0
        origin.YOffsetInSlideCoordinateSystem = 0.0
        dataset.TotalPixelMatrixOriginSequence = [origin]
