"""Shapes: points, lines and outlines on a slide, to DICOM annotations and to GeoJSON, and back."""
