"""The slide that results are about, as highdicom wants it.

highdicom copies identity (patient, study, specimen, container, frame of reference) out of the
headers of the source. Real archives leave attributes out that may be empty, and spell others in
ways that it refuses; here they are mended, and what cannot be is refused in words.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any, cast

from wsiweb.arguments import whole_number
from wsiweb.errors import SlideError
from wsiweb.pixels.instance import read_header
from wsiweb.results.loss import state_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydicom.dataset import Dataset

    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Source", "thickness_of"]

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
# Attributes of type 1: better left out than empty (PS3.3 C.7.6.22). What has to have them, such as
# whole-slide images, cannot be made then; others may do without (PS3.3 A.51, A.75, A.87).
_NOT_EMPTY = ("ContainerIdentifier", "SpecimenDescriptionSequence")
_DATES = ("PatientBirthDate", "StudyDate")
_TIMES = ("StudyTime",)
_SEXES = frozenset({"M", "F", "O"})
_PER_FRAME = "52009230"  # of a sparse slide it is far larger than all the rest, and not needed
_PLACE = ("FrameOfReferenceUID", "ImageOrientationSlide", "TotalPixelMatrixOriginSequence")
_OF_A_PART = (  # what only a part of a concatenation says (PS3.3 C.7.6.16)
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "ConcatenationFrameOffsetNumber",
)
_THIN = 0.001  # mm: depth of what does not state it; nothing is not allowed (PS3.3 C.7.6.16.2.1)
_MOST_NAMED = 20  # channels, in words
_UTF8 = "ISO_IR 192"


class Source:
    """The headers of a slide, and which of its optical paths results are about.

    Where a level is a concatenation, its header is that of the whole: nothing refers to one of the
    parts, which may be put together again or parted otherwise (PS3.3 C.7.6.16.1.3).

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    headers : iterable of Attributes
        The metadata of its series.
    fetch : callable, optional
        Returns a value of the metadata that is kept elsewhere, by its BulkDataURI; may block.
    channel : int, optional
        Zero-based optical path that was looked at; None for all of them.

    Raises
    ------
    ValueError
        For a channel that is no whole number.
    IndexError
        For a channel that the slide does not have.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        headers: Iterable[Attributes],
        fetch: Callable[[str], bytes] | None = None,
        *,
        channel: int | None = None,
    ) -> None:
        self.pyramid = pyramid
        self.channel = None if channel is None else _checked_channel(channel, pyramid)
        self._fetch = fetch
        self._headers = {one.text("SOPInstanceUID").strip(): one for one in headers}
        self._datasets: dict[str, Dataset] = {}

    def dataset(self, level: int = 0, *, placed: bool = True) -> Dataset:
        """Return the header of a level: without pixels and without what is said per frame.

        Parameters
        ----------
        level : int
            Zero-based level.
        placed : bool
            Whether it has to say where on the glass the level lies.

        Returns
        -------
        pydicom.Dataset
            Of the instance that holds the channel that was looked at; of the first, if that is all
            of them. Shared between calls: not to be changed. Text is in UTF-8. Attributes of type 2
            that are missing or cannot be read, such as dates that are none, are there and empty; of
            several values they have the first. An empty ContainerIdentifier is not there.

        Raises
        ------
        SlideError
            For a header that cannot be read, or without which nothing can be placed on the slide;
            names the instance.
        """
        return self.datasets(level, placed=placed)[0]

    def datasets(self, level: int = 0, *, placed: bool = True) -> tuple[Dataset, ...]:
        """Return all headers of a level that results refer to; see `dataset`.

        Returns
        -------
        tuple of pydicom.Dataset
            One, unless optical paths are in instances of their own and all of them were looked at.
        """
        found = tuple(self._dataset(uid, level) for uid in self._instances(level))
        if placed:
            for dataset in found:
                _check_placed(dataset)
        return found

    def optical_path(self, level: int = 0) -> Dataset:
        """Return the item of OpticalPathSequence of the channel, or the first for all channels.

        Returns
        -------
        pydicom.Dataset
            Without its ICC profile, if that is kept elsewhere; see `profile`. Shared between calls:
            not to be changed. Empty where the header has none.
        """
        from pydicom.dataset import Dataset

        items = self.dataset(level, placed=False).get("OpticalPathSequence") or []
        place = self._place_of_path(level)
        return items[place] if place < len(items) else Dataset()

    def path_identifier(self, level: int = 0) -> str | None:
        """Return what the channel that was looked at is called: its OpticalPathIdentifier.

        Returns
        -------
        str or None
            None for all channels of what results refer to.

        Raises
        ------
        SlideError
            When the header does not name its paths, of which there are several.
        """
        if self.channel is None:
            return None
        name = str(self.optical_path(level).get("OpticalPathIdentifier") or "").strip()
        uid = self._instances(level)[0]
        if not name and len(self._paths(uid)) > 1:
            raise SlideError(
                f"Instance {uid}: OpticalPathSequence does not name its paths, so that what is "
                f"made cannot say that it is about channel {self.channel}. Leave channel= out."
            )
        return name or None

    def profile(self, level: int = 0) -> bytes | None:
        """Return the ICC profile of a level's optical path; see `optical_path`.

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
        paths = self._header(self._instances(level)[0]).items("OpticalPathSequence")
        place = self._place_of_path(level)
        kept = paths[place].bulk("ICCProfile") if place < len(paths) else None
        if kept is None or kept.inline is not None:
            return None if kept is None else kept.inline
        return self._fetch(kept.uri) if kept.uri and self._fetch is not None else None

    # Which instances ------------------------------------------------------------------------

    def _instances(self, level: int) -> list[str]:
        """Return what holds the channel, or all of them: of a concatenation the first part."""
        image = self.pyramid.levels[level]
        firsts: dict[str, str] = {}
        for uid in image.instance_uids:
            firsts.setdefault(self._header(uid).text("ConcatenationUID").strip() or uid, uid)
        if self.channel is None or len(firsts) == 1:
            return list(firsts.values())
        name = image.channels[self.channel]
        return [uid for uid in firsts.values() if name in self._paths(uid)]

    def _place_of_path(self, level: int) -> int:
        """Return which item of OpticalPathSequence describes the channel."""
        if self.channel is None:
            return 0
        name = self.pyramid.levels[level].channels[self.channel]
        return self._paths(self._instances(level)[0]).index(name)

    def _paths(self, uid: str) -> tuple[str, ...]:
        """Return the names of an instance's paths, as `Level.channels` has them."""
        return read_header(self._header(uid), "VOLUME").channels

    def _header(self, uid: str) -> Attributes:
        try:
            return self._headers[uid]
        except KeyError:
            raise SlideError(
                f"Instance {uid} was there when the slide was opened, and is no more: open it anew."
            ) from None

    # What they say --------------------------------------------------------------------------

    def _dataset(self, uid: str, level: int) -> Dataset:
        if uid not in self._datasets:
            self._datasets[uid] = self._made(uid, level)
        return self._datasets[uid]

    def _made(self, uid: str, level: int) -> Dataset:
        from pydicom.dataset import Dataset

        model = self._header(uid).to_dict()
        model.pop(_PER_FRAME, None)
        try:
            dataset = Dataset.from_json(model, bulk_data_uri_handler=_left_out)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SlideError(f"Instance {uid}: its header cannot be read: {error}.") from None
        for keyword in _MAY_BE_EMPTY:
            _mend(dataset, keyword)
        for keyword in _NOT_EMPTY:
            if keyword in dataset and not str(dataset.get(keyword) or "").strip():
                del dataset[keyword]
        if dataset.get("ImageOrientationSlide"):  # -0 is no other number, but another text than 0
            cosines = dataset.ImageOrientationSlide
            dataset.ImageOrientationSlide = [cosine or 0 for cosine in cosines]
        dataset.SpecificCharacterSet = _UTF8
        if not dataset.get("Modality"):  # of whole-slide images there is but one (PS3.3 C.8.12.1)
            dataset.Modality = "SM"
        state_loss(dataset, self.pyramid.levels[level].transfer_syntax)
        _state_scale(dataset, self.pyramid.levels[level].mpp)
        self._make_whole(dataset, self.pyramid.levels[level])
        return dataset

    def _make_whole(self, dataset: Dataset, level: Level) -> None:
        """Let the header of a concatenation's part be that of the whole, to which others refer."""
        whole = dataset.get("SOPInstanceUIDOfConcatenationSource")
        if whole:
            dataset.SOPInstanceUID = whole
            dataset.NumberOfFrames = sum(
                self._header(part).integer("NumberOfFrames") or 1
                for part, of in zip(level.instance_uids, level.whole_uids, strict=True)
                if of == whole
            )
        for keyword in _OF_A_PART:
            if keyword in dataset:
                delattr(dataset, keyword)


def thickness_of(header: Dataset) -> float:
    """Return how thick what is made of a slide is: as its source, or as little as may be said.

    Parameters
    ----------
    header : pydicom.Dataset
        Of the source; see `Source.dataset`.

    Returns
    -------
    float
        SliceThickness in mm, which may not be 0.
    """
    shared: Any = header.get("SharedFunctionalGroupsSequence")
    measures: Any = shared[0].get("PixelMeasuresSequence") if shared else None
    stated = float(measures[0].get("SliceThickness") or 0) if measures else 0.0
    return stated if stated > 0 else _THIN


def _checked_channel(channel: int, pyramid: Pyramid) -> int:
    names = pyramid.levels[0].channels
    number = whole_number(channel, "channel")
    if not 0 <= number < len(names):
        told = ", ".join(map(repr, names[:_MOST_NAMED])) + (", ..." * (len(names) > _MOST_NAMED))
        raise IndexError(
            f"There is no channel {number}; the slide has {len(names)}, counted from 0: {told}."
        )
    return number


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


def _check_placed(dataset: Dataset) -> None:
    for keyword in _PLACE:
        if not dataset.get(keyword):
            raise SlideError(
                f"Instance {dataset.SOPInstanceUID}: {keyword} is missing, so what is made for "
                "this slide could not say where on the glass it lies. What says so in pixels of "
                'the image can be made: annotations with coordinates="2d".'
            )


def _state_scale(dataset: Dataset, mpp: tuple[float, float] | None) -> None:
    """Say the distance of pixels where highdicom looks for it, if it is only said elsewhere.

    That may be ImagedVolumeWidth and -Height, from which the slide model has it.
    """
    from pydicom.valuerep import format_number_as_ds

    if not dataset.get("SharedFunctionalGroupsSequence"):
        dataset.SharedFunctionalGroupsSequence = [type(dataset)()]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    if mpp is None:
        return
    if not shared.get("PixelMeasuresSequence"):
        shared.PixelMeasuresSequence = [type(dataset)()]
    measures = shared.PixelMeasuresSequence[0]
    if not measures.get("PixelSpacing"):
        measures.PixelSpacing = [format_number_as_ds(step / 1000) for step in reversed(mpp)]
