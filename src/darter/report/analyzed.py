"""A page about what a net costs and sees: bars per layer, a receptive field on a picture."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import darter
from darter.files import write_atomic
from darter.report.words import large

HEAT = (255, 96, 0)  # red, green, blue of what moves a unit
CORE = 0.5  # share of what moves a unit, whose pixels are counted


def write_analysis(
    record: Mapping[str, Any],
    out: Path,
    *,
    picture: NDArray[np.uint8] | None = None,
    effective: Mapping[str, NDArray[np.float32]] | None = None,
    note: str = "",
) -> None:
    """Write one self-contained page.

    record: `Analysis.to_json()`.   picture: (H, W, 3), as the net sees it.   effective: name of a
    layer -> how much each pixel moves the unit in its middle, (H, W), at most 1.   note: a
    sentence about what could not be drawn.
    """
    script, style = _asset("field.js"), _asset("style.css") + _asset("analysis.css")
    drawn = "" if picture is None else _field(record, picture, effective or {}, note)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    name = escape(Path(record["model"]).name)
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{name}: what it costs and sees</title><style>{style}</style></head>
<body><main class="alone"><h1>{name}: what it costs and sees</h1>
{_totals(record)}{drawn}{_bars(record)}
<footer><p>Written by darter {darter.__version__}.</p></footer></main>
{f"<script>{script}</script>" if drawn else ""}</body></html>
"""
    write_atomic(out, page)


def _asset(name: str) -> str:
    return (files("darter.report") / "templates" / name).read_text(encoding="utf-8")


def _totals(record: Mapping[str, Any]) -> str:
    sides = " × ".join(map(str, record["picture"]))
    told = (
        f"{record['weights']:,} weights, {large(record['multiply_adds'])} multiply-adds for one "
        f"picture of {sides}."
    )
    if record["ms"]:
        pictures = "1 picture" if record["batch"] == 1 else f"{record['batch']} pictures"
        told += (
            f" On {escape(record['cpu'])}, {record['threads']} threads, {record['precision']}: "
            f"{record['ms']:.3g} ms for {pictures} (of each layer the fastest of "
            f"{record['runs']} runs), "
            f"{record['gflops']:.0f} GFLOP/s of the direct algorithm. Rows "
            f"and {record['other_ms']:.3g} ms of no layer (copies in and out) add up to it."
        )
    return f"<p>{told}</p>"


def _bars(record: Mapping[str, Any]) -> str:
    """A row per layer; bars show the share of time, or of multiply-adds where none was measured."""
    layers = record["layers"]
    timed = bool(record["ms"])
    key = "ms" if timed else "multiply_adds"
    most = max((layer[key] for layer in layers), default=0) or 1
    heads = (
        "layer", "what", "output", "weights", "multiply-adds", "FLOP / byte", "sees",
        *(("time", "ms", "share", "GFLOP/s", "algorithm") if timed else ("work",)),
    )  # fmt: skip
    rows = []
    for layer in layers:
        if not (layer["ms"] or layer["multiply_adds"]):
            continue
        bar = f'<i style="width:{100 * layer[key] / most:.1f}%"></i>'
        cells: tuple[tuple[str, str], ...] = (
            ("name", f'<bdi title="{escape(layer["name"])}">{escape(layer["name"])}</bdi>'),
            ("", escape(layer["op"])),
            ("", "×".join(map(str, layer["shape"][1:]))),
            ("number", f"{layer['weights']:,}"),
            ("number", f"{layer['multiply_adds']:,}"),
            ("number", f"{layer['intensity']:.1f}"),
            ("", sees(layer)),
            ("bar", bar),
        )
        if timed:
            cells += (
                ("number", f"{layer['ms']:.3f}"),
                ("number", f"{layer['share']:.1%}"),
                ("number", f"{layer['gflops']:.0f}" if layer["gflops"] else ""),
                ("", escape(layer["algorithm"])),
            )
        rows.append("".join(f'<td class="{kind}">{cell}</td>' for kind, cell in cells))
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    why = (
        "cost nothing here: they are computed within the layer before"
        if timed
        else ("multiply nothing")
    )
    return (
        '<h2>Layer by layer</h2><div class="wide"><table class="bars">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<p class="note">Layers without a row {why}.</p>'
    )


def sees(layer: Mapping[str, Any]) -> str:
    """The receptive field in a few letters: its sides, and how far the next unit's is."""
    height, width = (f"{side:g}" for side in layer["field"])
    if layer["sees_all"]:
        return "all"
    sides = height if height == width else f"{height}×{width}"
    return f"{sides} / {layer['stride'][0]:g}"


def _field(
    record: Mapping[str, Any],
    picture: NDArray[np.uint8],
    effective: Mapping[str, NDArray[np.float32]],
    note: str,
) -> str:
    height, width = picture.shape[:2]
    layers = [
        _drawable(layer, effective.get(layer["name"]))
        for layer in record["layers"]
        if len(layer["shape"]) == 4 and any(layer["stride"]) and (layer["ms"] or layer["weights"])
    ]
    if not layers:
        return ""
    options = "".join(
        f'<option value="{k}">{escape(each["name"])}</option>' for k, each in enumerate(layers)
    )
    content = json.dumps({"size": [height, width], "layers": layers}).replace("<", "\\u003c")
    return f"""<h2>What a unit sees</h2>
<p><label>Layer <select id="layer">{options}</select></label></p>
<svg id="stage" viewBox="0 0 {width} {height}" role="img" aria-label="the picture">
<image width="{width}" height="{height}" href="{_jpeg(picture)}"/>
<image id="heat" width="{width}" height="{height}"/>
<rect id="field"/><circle id="unit" r="{max(height, width) / 120:.1f}"/></svg>
<p id="sees" aria-live="polite"></p>
<p class="note">White: the receptive field, all pixels that can reach the unit. Orange: its
effective field, the pixels that move it, by their gradient. Click on the picture to choose another
unit. {escape(note)}</p>
<script type="application/json" id="layers">{content}</script>
"""


def _drawable(layer: Mapping[str, Any], heat: NDArray[np.float32] | None) -> dict[str, Any]:
    shown = {
        "name": f"{layer['name']}  ({sees(layer)})",
        "units": layer["shape"][2:],
        **{key: layer[key] for key in ("field", "stride", "offset")},
        "heat": None,
    }
    if heat is not None:
        shown |= {"heat": _overlay(heat), "half": f"{CORE:.0%}", "core": _core(heat)}
    return shown


def _core(heat: NDArray[np.float32]) -> int:
    """How many pixels, the strongest first, make up `CORE` of all that moves the unit."""
    ordered = np.sort(heat.ravel())[::-1].cumsum(dtype=np.float64)
    return int(np.searchsorted(ordered, CORE * ordered[-1])) + 1


def _overlay(heat: NDArray[np.float32]) -> str:
    """A PNG that is clear where nothing moves the unit; the square root shows weak pixels, too."""
    from PIL import Image

    alpha = np.sqrt(np.clip(heat, 0, 1)) * 230
    pixels = np.empty((*heat.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = HEAT, alpha.astype(np.uint8)
    return _uri(Image.fromarray(pixels, "RGBA"), "PNG")


def _jpeg(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    return _uri(Image.fromarray(picture), "JPEG")


def _uri(image: Any, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, kind, quality=88, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
