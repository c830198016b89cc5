"""wsiweb: whole-slide images over DICOMweb."""
