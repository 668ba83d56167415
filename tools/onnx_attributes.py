"""Write which attributes ONNX's operations take, so that reading a net need not load its package.

python tools/onnx_attributes.py        after a new operation in darter, or a new version of onnx
"""

import json
from pathlib import Path

from onnx import defs

from darter.net.translate.fold import FOLDS
from darter.net.translate.table import TRANSLATIONS

TABLE = Path(__file__).parent.parent / "src/darter/net/translate/attributes.json"


def versions(op: str) -> dict[str, dict[str, str]]:
    """First version of ONNX -> name -> kind (INT, FLOATS, ...), where something changed."""
    found: dict[str, dict[str, str]] = {}
    for schema in sorted(
        (s for s in defs.get_all_schemas_with_history() if s.name == op and not s.domain),
        key=lambda s: s.since_version,
    ):
        kinds = {
            name: str(attribute.type).rpartition(".")[2]
            for name, attribute in sorted(schema.attributes.items())
        }
        if not found or kinds != found[list(found)[-1]]:
            found[str(schema.since_version)] = kinds
    return found


def table() -> str:
    ops = sorted(op for op in {*TRANSLATIONS, *FOLDS, "Constant", "Shape", "Size"} if defs.has(op))
    lines = (f" {json.dumps(op)}: {json.dumps(versions(op))}" for op in ops)
    newest = defs.onnx_opset_version()
    return f'{{"newest": {newest}, "operations": {{\n' + ",\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    TABLE.write_text(table())
