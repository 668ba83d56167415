"""YOLO: one text file per picture, a line `class x y width height` per box, in shares of its sides.

A line with more numbers is the outline of an object, whose box is taken, or ends in a confidence.
Names of classes stand in data.yaml, obj.names or classes.txt.
"""

from pathlib import Path

from darter.dataset.annotations.numbers import Broken, coordinate, name, read_text
from darter.dataset.boxes import Box, Boxes, Flaw
from darter.errors import MissingExtraError
from darter.extras import install_line

SUFFIX = ".txt"
NAMES = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels")  # one name a line
PARTS = ("train", "val", "test")
MOST_SHARE = 4.0  # of a side; a larger number was meant as pixels


def is_list(name: str) -> bool:
    """Whether a file of that name lists classes or pictures, not boxes."""
    return name.lower() in (*NAMES, *(f"{part}.txt" for part in PARTS))


def is_yolo(file: Path) -> bool:
    """Whether a text file holds boxes, by its first lines; an empty one may."""
    try:
        with file.open("rb") as stream:
            lines = stream.read(4096).split(b"\n")
    except OSError:
        return False
    rows = [line.split() for line in (lines[:-1] or lines)[:20] if line.strip()]
    return all(len(row) >= 5 and _numbers(row) and row[0].isdigit() for row in rows)


def _numbers(cells: list[bytes]) -> bool:
    try:
        return [float(cell) for cell in cells] != []
    except ValueError:
        return False


def read_yolo(file: Path, names: dict[int, str] | None) -> Boxes:
    """What the file marks. Never raises. names: None where no file names the classes."""
    try:
        lines = read_text(file).splitlines()
    except Broken as error:
        return Boxes(flaws=(("broken annotation", f"{file.name} {error}"),))
    boxes: list[Box] = []
    flaws: list[Flaw] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            boxes.append(_box(line.split(), names))
        except Broken as error:
            flaws.append(("broken box", f"{file.name}, line {number}: {error}"))
        except LookupError as error:
            flaws.append(("unknown class", f"{file.name}, line {number}: {error.args[0]}"))
    return Boxes(tuple(boxes), relative=True, flaws=tuple(flaws))


def _box(cells: list[str], names: dict[int, str] | None) -> Box:
    if len(cells) < 5:
        raise Broken("expected class x y width height")
    try:
        number = int(cells[0])
    except ValueError:
        raise Broken(f"the class {cells[0][:20]!r} is no whole number") from None
    values = [coordinate(cell) for cell in cells[1:]]
    if max(map(abs, values[:4])) > MOST_SHARE:
        raise Broken("numbers are shares of the sides, from 0 to 1; these are larger")
    if names is not None and number not in names:
        raise LookupError(f"there is no class {number}")
    label = f"class {number}" if names is None else names[number]
    if len(values) >= 6 and len(values) % 2 == 0:  # an outline
        xs, ys = values[::2], values[1::2]
        return Box(label, (min(xs), min(ys), max(xs), max(ys)))
    x, y, width, height = values[:4]
    return Box(label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def read_names(root: Path, files: list[Path]) -> tuple[dict[int, str] | None, dict[str, str], str]:
    """(names of classes by number, {part: what data.yaml says of it}, where they stand).

    files: those below root that may tell.   Raises Broken where the one that tells is damaged,
    MissingExtraError where it is YAML and PyYAML is not installed.
    """
    for file in files:
        if file.suffix.lower() in (".yaml", ".yml"):
            content = _yaml(file)
            if isinstance(content, dict) and "names" in content:
                given = content["names"]
                rows = given.items() if isinstance(given, dict) else enumerate(given or ())
                try:
                    names = {int(number): name(value) for number, value in rows}
                except (TypeError, ValueError):
                    raise Broken(f"{file.name}: names must be a list of names") from None
                parts = {p: _texts(content[p]) for p in PARTS if content.get(p)}
                return names, parts, file.name
    for file in files:
        if file.name.lower() in NAMES:
            lines = [line.strip() for line in read_text(file).splitlines()]
            return {k: line for k, line in enumerate(lines) if line}, {}, file.name
    return None, {}, ""


def _texts(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _yaml(file: Path) -> object:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(f"{file.name} needs PyYAML: {install_line('train')}") from None
    try:
        return yaml.safe_load(read_text(file))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Broken(f"{file.name} is no YAML: {' '.join(str(error).split())[:120]}") from None
