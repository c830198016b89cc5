"""Images made of the slide: whole-slide images with a pyramid of their own."""
