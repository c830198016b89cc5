"""Numbers at each place of the slide: Parametric Maps."""
