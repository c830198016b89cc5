"""What a viewer needs of a slide, by path; and the viewer itself, in notebooks and web pages.

===============  ===================================================================
`feed`           the door: resources of a slide by path
`manifest`       a slide in the words of the front end
`tiles`          tiles that a browser shows rightly
`associated`     label, overview and thumbnail
`layers`         what others stored about the slide: rasters, shapes, drawn tiles
`tags`           attributes of instances, as a tree of words
`python`         the lines of Python that show the same
===============  ===================================================================

A viewer takes what it needs of a slide (`viewed`), and knows no archive.
"""

from __future__ import annotations

from wsiweb.viewer.feed import Feed
from wsiweb.viewer.resource import Resource
from wsiweb.viewer.viewed import Viewed

__all__ = ["Feed", "Resource", "Viewed"]
