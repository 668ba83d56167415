"""How to install a part of darter that is missing, as a line that works on this computer."""

from pathlib import Path
from typing import TYPE_CHECKING

# What reads metadata takes 10 ms to load, and is needed where something is missing.
if TYPE_CHECKING:
    from importlib.metadata import Distribution


def install_line(extra: str) -> str:
    """`pip install …` for one of darter's extras.

    Names the checkout or the wheel that darter was installed from, where it is still there; else
    the packages that the extra stands for.
    """
    import shlex
    from importlib.metadata import PackageNotFoundError

    try:
        found = own_distribution()
    except PackageNotFoundError:  # run from the sources
        return f'pip install ".[{extra}]" in the folder of the project'
    source = _source(found)
    if source is not None:
        return f"pip install {shlex.quote(f'{source}[{extra}]')}"
    return shlex.join(["pip", "install", *packages(found, extra)])


def own_distribution() -> "Distribution":
    """darter as it is installed."""
    from importlib.metadata import distribution

    return distribution("darter")


def packages(found: "Distribution", extra: str) -> list[str]:
    """The requirements of an extra, as pip takes them."""
    marker = f'extra == "{extra}"'
    wanted = []
    for line in found.requires or ():
        requirement, _, condition = line.partition(";")
        if condition.strip().replace("'", '"') == marker:
            wanted.append(requirement.strip())
    return wanted


def _source(found: "Distribution") -> Path | None:
    """The folder or wheel that pip installed darter from (PEP 610), if it is still there."""
    import json
    from urllib.parse import unquote, urlparse

    try:
        url = urlparse(json.loads(found.read_text("direct_url.json") or "{}").get("url", ""))
    except (ValueError, OSError):
        return None
    path = Path(unquote(url.path))
    return path if url.scheme == "file" and path.exists() else None
