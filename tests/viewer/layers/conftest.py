"""A slide, and results about it that are written and read back."""

from __future__ import annotations

import pytest
from results.about import objects_in, source_of

from wsiweb.viewer import Feed


class Place:
    """A folder with the slide, to which results can be added; `feed` opens all of it."""

    def __init__(self, folder, made, source, reached):
        self.folder, self.made, self.source = folder, made, source
        self.objects = objects_in(folder, source)
        self._reached = reached
        self.slide = None

    def add(self, make, *args, **more):
        return make(self.source, self.objects, *args, **more)

    def feed(self, overlays=None):
        self.slide = self._reached(self.folder)
        return Feed(self.slide, overlays)


@pytest.fixture(scope="session")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def place(tmp_path, made, source, reached):
    folder = tmp_path / "archive"
    folder.mkdir()
    for path in made.paths:
        (folder / path.name).symlink_to(path)
    return Place(folder, made, source, reached)
