"""A room imports only rooms on lower floors, by their faces: `from darter.net import …`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import darter

FLOORS = {
    "errors": 0, "extras": 0, "markup": 0, "names": 0, "files": 0, "locks": 0, "machine": 0,
    "kernels": 1, "cluster": 1,
    "conv": 2, "picture": 2,
    "dataset": 3, "net": 3,
    "model": 4, "arrange": 4, "precision": 4,
    "noise": 5, "transfer": 5, "quantize": 5,
    "train": 6,
    "doctor": 7, "bench": 7, "report": 7, "distributed": 7, "detect": 7, "caption": 7,
    "job": 8, "serve": 8,
    "api": 9,
    "cli": 10,
}  # fmt: skip
SAME_FLOOR_ALLOWED = {("files", "errors"), ("files", "names")}
PACKAGE = Path(darter.__file__).parent
WITHOUT_TORCH = ("errors", "extras", "markup", "names", "files", "locks", "machine", "kernels",
                 "conv", "picture", "dataset", "net", "model", "quantize", "bench", "report", "api",
                 "cli")  # fmt: skip


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """What a file imports of darter, as dotted names without the first."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: use absolute imports"
            base = node.module or ""
            names = [f"{base}.{a.name}" for a in node.names] if base == "darter" else [base]
        else:
            continue
        found |= {name.removeprefix("darter.") for name in names if name.startswith("darter.")}
    return found


FILES = sorted(f for f in PACKAGE.rglob("*.py") if f.parent != PACKAGE or f.stem in FLOORS)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_point_down(file):
    room = room_of(file)
    assert room in FLOORS, f"{room} has no floor: add it to the table here and to the design"
    for other in {name.split(".")[0] for name in imported(file)} - {room}:
        below = FLOORS[other] < FLOORS[room] or (room, other) in SAME_FLOOR_ALLOWED
        assert below, f"{file}: {room} (floor {FLOORS[room]}) imports {other}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_rooms_are_asked_at_their_faces(file):
    inside = {
        name for name in imported(file) if "." in name and name.split(".")[0] != room_of(file)
    }
    assert not inside, f"import these from the room itself: {inside}"


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
