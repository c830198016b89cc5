"""``python -m wsiweb`` is the command ``wsiweb``."""

from __future__ import annotations

from wsiweb.cli import main

if __name__ == "__main__":
    main()
