"""What is wrong with a folder of pictures, before any training."""

from collections.abc import Callable
from pathlib import Path

from darter.dataset import Audit, scan, survey_samples


def audit(
    data: Path | str,
    *,
    test: Path | str | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Read every picture once: broken and odd files, copies, leaks, labels. Nothing is changed.

    data: a folder per class, train/ val/ test/ above that, or a CSV file (path,label).
    test: a subfolder, another folder or a CSV file that is the test split.
    progress(done, total) is called after each picture.
    Returns the Audit; printed by `summary()`, and shown with pictures in a notebook.
    Raises DataError where the folder cannot be read.

    >>> found = audit("photos")
    >>> print(found.summary()[0])
    24 pictures of 2 classes can be used; 0 files left out.
    >>> found.classes
    ('level', 'upright')
    """
    return scan(survey_samples(data, test=test), threads=threads, progress=progress)
