"""Results: arrays and shapes to DICOM objects about a slide, and what others stored, read back.

`wsiweb.Slide.results` begins a session, whose ``add_`` methods write objects; these are what they
take and return.
"""

from __future__ import annotations

from wsiweb.results.identity import Algorithm
from wsiweb.results.masks.segments import Segment
from wsiweb.results.masks.writer import MaskWriter
from wsiweb.results.objects import ResultObject
from wsiweb.results.reading.annotations import Annotations
from wsiweb.results.reading.heatmap import HeatMap
from wsiweb.results.reading.report import Report
from wsiweb.results.reading.segmentation import Segmentation
from wsiweb.results.reports.findings import Evaluation, Finding, Measurement, Region
from wsiweb.results.session import ResultSession
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.shapes import Shapes

__all__ = [
    "Algorithm",
    "Annotations",
    "Evaluation",
    "Finding",
    "HeatMap",
    "MaskWriter",
    "Measurement",
    "Region",
    "Report",
    "ResultObject",
    "ResultSession",
    "Segment",
    "Segmentation",
    "Shapes",
    "shapes_of",
]
