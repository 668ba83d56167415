"""A room imports only rooms on lower floors; neighbours on one floor never import each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import darter

FLOORS = {
    "errors": 0, "files": 0,
    "kernels": 1,
    "conv": 2, "data": 2,
    "engine": 3, "arrange": 3,
    "noise": 4, "transfer": 4, "bench": 4,
    "train": 5, "doctor": 5,
    "report": 6,
    "job": 7, "serve": 7,
    "cli": 8,
}  # fmt: skip
SAME_FLOOR_ALLOWED = {("files", "errors")}
PACKAGE = Path(darter.__file__).parent
WITHOUT_TORCH = ("errors", "files", "kernels", "conv", "data", "engine", "bench",
                 "report", "cli")  # fmt: skip


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: use absolute imports"
            base = node.module or ""
            names = [f"{base}.{a.name}" for a in node.names] if base == "darter" else [base]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("darter.")}
    return rooms


FILES = sorted(f for f in PACKAGE.rglob("*.py") if f.parent != PACKAGE or f.stem in FLOORS)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file):
    room = room_of(file)
    assert room in FLOORS, f"{room} has no floor: add it to the table here and to the design"
    for other in imported_rooms(file) - {room}:
        below = FLOORS[other] < FLOORS[room] or (room, other) in SAME_FLOOR_ALLOWED
        assert below, f"{file}: {room} (floor {FLOORS[room]}) imports {other}"


@pytest.mark.parametrize("room", [r for r in WITHOUT_TORCH if list(PACKAGE.glob(f"{r}*"))])
def test_room_works_without_torch(room):
    code = f"import sys; sys.modules['torch'] = None; import darter.{room}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_darter_is_light():
    code = (
        "import sys, darter; "
        "heavy = {'torch', 'onnx', 'onnxruntime', 'sklearn', 'PIL', 'numpy', 'typer'}; "
        "found = heavy & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
