"""Made-up slides: tissue-like, of any size, the same for the same seed.

For the demonstration, for tests and for benchmarks, wherever no real slide is at hand.
"""

from __future__ import annotations

from wsiweb.synthetic.slides import SyntheticSlide, write_slide

__all__ = ["SyntheticSlide", "write_slide"]
