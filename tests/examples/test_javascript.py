"""The page of examples/javascript, in a real browser, against darter on the same files."""

import json
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import darter
from darter.model import Calibration, ModelInfo, export_with_preprocessing
from darter.picture import Preprocess, decode
from tests.tiny_models import COLORS, color_model, save

EXAMPLE = Path(__file__).parents[2] / "examples" / "javascript"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

TRIAL = """<!doctype html><title>trial</title>
<script src="node_modules/onnxruntime-web/dist/ort.wasm.min.js"></script>
<script type="module">
  import { classify, load } from "./classify.js";
  let found = [];
  try {
    ort.env.wasm.numThreads = 1;
    const classes = await (await fetch("classes.json")).json();
    const model = await load(ort, "model-pixels.onnx", classes);
    for (const name of await (await fetch("names.json")).json())
      found.push(await classify(model, await (await fetch(name)).blob()));
  } catch (error) { found = String(error.stack || error); }
  await fetch("answers", { method: "POST", body: JSON.stringify(found) });
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and takes the page's answers."""

    answers: list
    done: threading.Event

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).answers[:] = [json.loads(body)]
        self.send_response(204)
        self.end_headers()
        type(self).done.set()

    def log_message(self, *_):
        pass


def in_the_browser(folder: Path) -> list:
    """What the page at folder/trial.html answers."""
    handler = type("Bound", (Handler,), {"answers": [], "done": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = f"http://127.0.0.1:{server.server_port}/trial.html"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'user'}"]
    browser = subprocess.Popen(
        [CHROMIUM, *options, "--remote-debugging-port=0", page],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert handler.done.wait(180), "the page gave no answer"
    finally:
        browser.terminate()
        browser.wait()
        server.shutdown()
    return handler.answers[0]


def prepare(folder: Path, model: Path, pictures: list[Path]) -> None:
    """The example's files, what it needs of npm, the exported model and the pictures."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    try:
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund"],
            cwd=folder,
            check=True,
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"onnxruntime-web cannot be installed: {error}")
    session = darter.load(model)
    export_with_preprocessing(session, model, folder / "model-pixels.onnx")
    (folder / "classes.json").write_text(json.dumps(session.info.classes))
    (folder / "names.json").write_text(json.dumps([path.name for path in pictures]))
    (folder / "trial.html").write_text(TRIAL)
    for path in pictures:
        shutil.copy(path, folder / path.name)


def photo(path: Path, seed: int, size: tuple[int, int]) -> Path:
    """Smooth noise with edges, as a JPEG."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (9, 12, 3), np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6 if seed % 2 else 1  # turned by a quarter
    image.save(path, quality=90, exif=exif)
    return path


def test_the_docs_show_the_code_that_runs():
    page = (EXAMPLE.parents[1] / "docs" / "javascript.md").read_text()
    (shown,) = re.findall(r"```javascript\n(.*?)```", page, re.DOTALL)
    code = (EXAMPLE / "classify.js").read_text()
    for function in re.split(r"\n(?=/\*\*)", shown):
        assert function.strip() in code


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_page_gives_darters_probabilities(tmp_path):
    info = ModelInfo(COLORS, Preprocess(8, 9, crop="pad"), Calibration(1.3, 0.1))
    model = save(color_model(scale=6.0), tmp_path / "model.onnx", info)
    sizes = [(300, 200), (640, 480), (61, 97), (1000, 40)]
    pictures = [photo(tmp_path / f"{k}.jpg", k, size) for k, size in enumerate(sizes)]
    prepare(tmp_path / "site", model, pictures)
    answers = in_the_browser(tmp_path / "site")
    assert not isinstance(answers, str), answers
    decoded = [decode(path).pixels for path in pictures]  # as the browser does: at full size
    for answer, ours in zip(answers, darter.load(model)(decoded), strict=True):
        theirs = {entry["label"]: entry["probability"] for entry in answer}
        assert answer[0]["label"] == ours.top[0][0]
        assert max(abs(theirs[name] - p) for name, p in ours.top) < 1e-3
