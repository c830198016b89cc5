"""Results: arrays and shapes to DICOM objects about a slide, and what others stored, read back."""
