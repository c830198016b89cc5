"""What it costs to make DICOM objects of results, against highdicom alone."""
