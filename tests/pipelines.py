"""The pages that show a pipeline from end to end, run against an archive of the test's own."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = '"https://pacs.lab/dicom-web", auth=("pipeline", "secret")'
SLIDE = 'container_id="S26-1234"'


def run_pipeline(page: str, url: str, auth: tuple[str, str] | None, series_uid: str) -> dict:
    """Run the pipeline of a page; its address and its slide are replaced, and nothing else.

    Returns
    -------
    dict
        What its names stand for in the end; ``archive`` is closed.
    """
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
    )
    first = next(at for at, block in enumerate(blocks) if ADDRESS in block)
    assert SLIDE in blocks[first]
    blocks[first] = blocks[first].replace(ADDRESS, f"{url!r}, auth={auth!r}")
    blocks[first] = blocks[first].replace(SLIDE, f"series_uid={series_uid!r}")
    names: dict = {}
    try:
        for block in blocks[first:]:
            exec(compile(block, page, "exec"), names)
    finally:
        if "archive" in names:
            names["archive"].close()
    return names
