"""Why an image cannot be read, where it matters to tell one reason from another."""


class UnknownFormatError(ValueError):
    """Not an image in a known format."""


class UnsupportedError(ValueError):
    """A known format, or a kind of colours or samples, that is not read."""


class TooLargeError(ValueError):
    """More pixels, samples or bytes than may be read."""
