"""What became of objects, found out from the archive itself.

What an archive says of a request is a claim. What it lists is proof; and what it lists already
before a request, or after one that failed, is fetched and compared: then it is known whether the
object is there, or another one with its UID.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from wsiweb.errors import ArchiveError, NotFound, Unauthorized
from wsiweb.loop import in_pool
from wsiweb.outbox.comparing import difference
from wsiweb.outbox.holdings import Holdings
from wsiweb.outbox.rows import Outcome
from wsiweb.outbox.settling import again, passes, unproven

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.outbox.settling import Claim

__all__ = ["Prover"]

_NAME = "held-{}.dcm"
_FORBIDDEN = 403


class Prover:
    """Asks one archive what it holds; to be used on the library's event loop.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    folder : Path
        Where what it holds is put to be compared.
    """

    def __init__(self, client: DicomwebClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._holdings = Holdings(client)

    def sweep(self) -> None:
        """Remove what a crash left in the folder."""
        for copy in self._folder.glob(_NAME.format("*")):
            copy.unlink(missing_ok=True)

    async def held(self, items: Sequence[ItemRow]) -> list[Outcome]:
        """Return what becomes of the objects that the archive has already, before they are sent.

        Raises
        ------
        ArchiveError
            When it does not say so just now.
        """
        uncertain = any(item.tries > 1 for item in items)
        listed = await self._holdings.among(items, fresh=uncertain) or set()
        found = [
            await self._compared(item, None, sent=item.tries > 1)
            for item in items
            if item.instance_uid in listed
        ]
        return [outcome for outcome in found if outcome is not None]

    async def arrived(self, items: Sequence[ItemRow]) -> list[Outcome]:
        """Return what becomes of those objects that are there after a request that failed.

        Raises
        ------
        ArchiveError
            When the archive does not say so just now.
        """
        listed = await self._holdings.among(items, fresh=True) or set()
        found = [
            await self._compared(item, None, sent=True)
            for item in items
            if item.instance_uid in listed
        ]
        return [outcome for outcome in found if outcome is not None]

    async def judged(self, claims: Sequence[Claim]) -> list[Outcome]:
        """Return what becomes of objects of which the archive does not say that it stored them.

        Raises
        ------
        ArchiveError
            When it does not say just now what it holds.
        """
        listed = await self._holdings.among([claim.item for claim in claims], fresh=True)
        outcomes: list[Outcome] = []
        for claim in claims:
            outcome = None
            if listed is not None and claim.item.instance_uid in listed:
                outcome = await self._compared(claim.item, claim, sent=True)
            outcomes.append(outcome or claim.refused(time.time(), asked=listed is not None))
        return outcomes

    async def proven(self, claims: Sequence[Claim]) -> list[Outcome]:
        """Return the objects, of those that the archive says it stored, of which that is true.

        Parameters
        ----------
        claims : sequence of Claim
            Of objects of one study.

        Returns
        -------
        list of Outcome
            Without those that are not listed, or not yet. All of them, unproven, where the archive
            has reasons not to say.

        Raises
        ------
        ArchiveError
            When it does not say just now.
        """
        items = [claim.item for claim in claims]
        try:
            listed = await self._holdings.among(items, fresh=True)
        except ArchiveError as error:
            if passes(error):
                raise
            return [unproven(claim, error) for claim in claims]
        proof = "answer" if listed is None else "listed"
        seen = [one for one in claims if listed is None or one.item.instance_uid in listed]
        self._holdings.add(one.item for one in seen)
        return [
            Outcome(
                item=one.item.id,
                state="stored",
                code=one.code,
                comment=one.comment,
                warnings=one.warnings,
                proof=proof,
            )
            for one in seen
        ]

    async def _compared(self, item: ItemRow, claim: Claim | None, *, sent: bool) -> Outcome | None:
        """Return what becomes of an object that the archive lists; None if it has it not."""
        copy = self._folder / _NAME.format(uuid.uuid4().hex)
        state = "stored" if sent else "held"
        code, comment = (None, "") if claim is None else (claim.code, claim.comment)
        try:
            await self._client.instance(item.study_uid, item.series_uid, item.instance_uid, copy)
            differs = await in_pool(difference, item.path, copy)
        except NotFound:
            return None
        except Unauthorized as error:
            if error.status != _FORBIDDEN:
                raise
            # It may be stored there, and not be read.
            said = "the archive lists it and does not let it be read, so it was not compared"
            return Outcome(item=item.id, state=state, warnings=(said,), proof="listed")
        except OSError as error:
            if isinstance(error, ArchiveError):
                raise
            words = f"what the archive holds could not be compared ({error.strerror or error})"
            return again(item, time.time(), words)
        finally:
            copy.unlink(missing_ok=True)
        if differs:
            words = f"the archive holds another object with this UID; it differs in {differs}"
            return Outcome(item=item.id, state="failed", code=code, reason=words, comment=comment)
        warnings = () if claim is None else claim.warnings
        return Outcome(item=item.id, state=state, warnings=warnings, proof="compared")
