"""The judge: what reading a slide over DICOMweb costs, with wsiweb and with its peers.

Every library is measured in fresh processes, on the same server, after its pixels were found
equal to a direct decode of the stored frames; and beside a reference, which fetches and decodes
the same bytes as fast as we know how. See benchmarks/README.md.
"""

from __future__ import annotations

__all__: list[str] = []
