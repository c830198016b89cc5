"""A slide as numbers: pyramid, tiling, geometry, decoding. No I/O."""
