"""darter's docstrings as Markdown: what names mean as a list, examples as code.

mkdocstrings loads `Docstrings` (mkdocs.yml) and calls it for everything that it has read.
"""

import re
from itertools import pairwise
from typing import Any

import griffe

NAMES = r"[a-z]\w*(?:\([\w, ]*\))?(?:, [a-z]\w*)*:(?: |$)"
ENTRY = re.compile(NAMES)
SEVERAL = re.compile(f" {{3}}(?={NAMES})", re.MULTILINE)  # entries on one line


class Docstrings(griffe.Extension):
    """Rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring of "name: meaning" lines, sentences and doctests, as Markdown."""
    return "\n\n".join(_block(block) for block in re.split(r"\n\s*\n", text.strip()))


def _block(text: str) -> str:
    """One paragraph, list of names, example or drawing."""
    if text.lstrip().startswith(">>> "):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return text  # a drawing
    statements = _statements(SEVERAL.sub("\n", text).splitlines())
    written = [_entry(s) if ENTRY.match(s) and ": " in s else s for s in statements]
    parts = [written[0]]
    for before, one in pairwise(written):
        together = before.startswith("- ") and one.startswith("- ")
        parts.append("\n" if together else "\n\n")
        parts.append(one)
    return "".join(parts)


def _statements(lines: list[str]) -> list[str]:
    """Lines joined that belong together: an entry or a sentence begins after a full stop."""
    found: list[str] = []
    for line in lines:
        begins = not found or (not line.startswith(" ") and found[-1].endswith("."))
        if begins or ENTRY.match(line):
            found.append(line.strip())
        else:
            found[-1] += " " + line.strip()
    return found


def _entry(text: str) -> str:
    names, meaning = text.split(": ", 1)
    names = re.sub(r"[a-z]\w*(\([^)]*\))?", r"`\g<0>`", names)
    return f"- {names}: {meaning}"
