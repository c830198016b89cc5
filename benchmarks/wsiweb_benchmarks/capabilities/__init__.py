"""What the libraries can do, found by running them: the probes behind capabilities.md.

``python -m wsiweb_benchmarks.capabilities --out capabilities.md`` runs every probe and writes the
document; with ``--check FILE`` it says where the document is no longer true.
"""
