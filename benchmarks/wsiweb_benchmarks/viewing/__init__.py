"""What looking at slides costs, in a browser: our viewer, and the library that Slim is made of.

``python -m wsiweb_benchmarks.viewing`` drives Chromium. Each room has one concern: what is served
(`serving`, `studies`), the browser (`chromium`), the two viewers (`viewers`, `peer` and the page in
``page/``), what is measured (`film` for when a view is complete, `panning`, `listing`), the rounds
(`rounds`), and what is written (`document`).
"""
