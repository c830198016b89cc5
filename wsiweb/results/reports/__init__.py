"""Reports on some regions: structured reports after the template Measurement Report."""
