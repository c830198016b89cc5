"""What others stored about a slide, and we: found in the archive and read as arrays and shapes."""
