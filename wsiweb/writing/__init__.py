"""DICOM images written as their pixels come: rows to tiles, tiles to frames, frames to files."""
