"""DICOMweb as text and bytes: addresses, media types, multipart, queries, JSON. No I/O."""
