"""The exceptions that darter raises on purpose.

    DarterError
    ├── ShapeError        an array has the wrong shape, type or layout: given, expected
    ├── UnsupportedError  the request is well formed, but this part of darter refuses it, and why
    ├── DataError         a picture, folder, CSV or weights file cannot be used
    ├── ModelFileError    a model file is damaged or lacks what the task needs
    ├── ExportError       the exported file does not compute what the trained net computes
    ├── OptionError       an option or recipe entry is unknown, out of range or contradictory
    └── MissingExtraError a part that was not installed is needed, and what installs it

The command line prints a DarterError as `darter: …` and exits with status 2; anything else is a
defect of darter.
"""


class DarterError(Exception):
    """Base of every error that darter raises on purpose."""


class ShapeError(DarterError, ValueError):
    """An array has the wrong shape, type or layout."""


class UnsupportedError(DarterError):
    """A well-formed request that this part of darter cannot do."""


class DataError(DarterError):
    """A picture, folder, CSV or weights file cannot be used."""


class ModelFileError(DarterError):
    """A model file is damaged or lacks what the task needs."""


class ExportError(DarterError):
    """An exported file does not compute what the trained net computes."""


class OptionError(DarterError, ValueError):
    """An option or recipe entry is unknown, out of range or contradicts another."""


class MissingExtraError(DarterError, ImportError):
    """A part of darter that was not installed is needed."""
