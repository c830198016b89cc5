"""The slide that results are about, as highdicom wants it.

highdicom copies identity (patient, study, specimen, container, frame of reference) out of the
headers of the source. Real archives leave attributes out that may be empty, and spell others in
ways that it refuses; here they are mended, and what cannot be is refused in words.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any, cast

from wsiweb.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
_DATES = ("PatientBirthDate", "StudyDate")
_TIMES = ("StudyTime",)
_SEXES = frozenset({"M", "F", "O"})
_PER_FRAME = "52009230"  # of a sparse slide it is far larger than all the rest, and not needed
_PLACE = ("FrameOfReferenceUID", "ImageOrientationSlide", "TotalPixelMatrixOriginSequence")
_UTF8 = "ISO_IR 192"


class Source:
    """The headers of a slide.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    headers : iterable of Attributes
        The metadata of its series.
    fetch : callable, optional
        Returns a value of the metadata that is kept elsewhere, by its BulkDataURI; may block.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        headers: Iterable[Attributes],
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        self.pyramid = pyramid
        self._fetch = fetch
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
            Shared between calls: not to be changed. Text is in UTF-8. Attributes of type 2 that are
            missing or cannot be read, such as dates that are none, are there and empty; of several
            values they have the first.

        Raises
        ------
        SlideError
            For a header that cannot be read, or without which nothing can be placed on the slide;
            names the instance.
        """
        if level not in self._datasets:
            self._datasets[level] = self._made(level)
        return self._datasets[level]

    def profile(self, level: int = 0) -> bytes | None:
        """Return the ICC profile of a level's first optical path.

        Parameters
        ----------
        level : int
            Zero-based level.

        Returns
        -------
        bytes or None
            None where there is none, or no way to where it is kept.

        Raises
        ------
        ArchiveError
            When the archive does not deliver it.
        """
        path = self._header(level).item("OpticalPathSequence")
        kept = path.bulk("ICCProfile")
        if kept is None or kept.inline is not None:
            return None if kept is None else kept.inline
        return self._fetch(kept.uri) if kept.uri and self._fetch is not None else None

    def _header(self, level: int) -> Attributes:
        uid = self.pyramid.levels[level].instance_uids[0]
        try:
            return self._headers[uid]
        except KeyError:
            raise SlideError(
                f"Instance {uid} was there when the slide was opened, and is no more: open it anew."
            ) from None

    def _made(self, level: int) -> Dataset:
        from pydicom.dataset import Dataset

        image = self.pyramid.levels[level]
        uid = image.instance_uids[0]
        model = self._header(level).to_dict()
        model.pop(_PER_FRAME, None)
        try:
            dataset = Dataset.from_json(model, bulk_data_uri_handler=_left_out)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SlideError(f"Instance {uid}: its header cannot be read: {error}.") from None
        for keyword in _MAY_BE_EMPTY:
            _mend(dataset, keyword)
        dataset.SpecificCharacterSet = _UTF8
        _check_placed(dataset, uid)
        _state_scale(dataset, image.mpp)
        return dataset


def _left_out(*_: Any) -> None:
    """Leave bulk data out: profiles and pixels, of which results have their own."""


def _mend(dataset: Dataset, keyword: str) -> None:
    """Leave of an attribute of type 2 one value that may be written, or none."""
    values = _values(dataset.get(keyword))
    value = values[0] if values else ""
    if keyword in _DATES:
        value = _date(value)
    elif keyword in _TIMES:
        value = _time(value)
    elif keyword == "PatientSex":
        value = value.upper() if value.upper() in _SEXES else ""  # some write "U" for unknown
    setattr(dataset, keyword, value or None)


def _values(given: Any) -> list[str]:
    """Return the values of an attribute; a backslash parts them (PS3.5 6.4)."""
    listed = given if isinstance(given, (list, tuple, MutableSequence)) else [given]
    texts = ["" if one is None else str(one) for one in cast("Iterable[Any]", listed)]
    return [part.strip() for text in texts for part in text.split("\\")]


def _date(text: str) -> str:
    from pydicom.valuerep import DA

    try:
        found = DA(text)
    except ValueError:
        return ""
    return found.strftime("%Y%m%d") if found else ""


def _time(text: str) -> str:
    from pydicom.valuerep import TM

    try:
        found = TM(text)
    except ValueError:
        return ""
    return text if found is not None else ""


def _check_placed(dataset: Dataset, uid: str) -> None:
    for keyword in _PLACE:
        if not dataset.get(keyword):
            raise SlideError(
                f"Instance {uid}: {keyword} is missing, so nothing that is made for this slide "
                "could say where on it it lies."
            )


def _state_scale(dataset: Dataset, mpp: tuple[float, float] | None) -> None:
    """Say the distance of pixels where highdicom looks for it, if it is only said elsewhere.

    That may be ImagedVolumeWidth and -Height, from which the slide model has it.
    """
    from pydicom.valuerep import format_number_as_ds

    if not dataset.get("SharedFunctionalGroupsSequence"):
        dataset.SharedFunctionalGroupsSequence = [type(dataset)()]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    if mpp is not None and not shared.get("PixelMeasuresSequence"):
        measures = type(dataset)()
        measures.PixelSpacing = [format_number_as_ds(step / 1000) for step in reversed(mpp)]
        shared.PixelMeasuresSequence = [measures]
