"""Masks of all kinds to DICOM Segmentations (PS3.3 A.51), tile by tile, in bounded memory."""
