"""The documentation is true: its commands exist, its Python runs, its links lead somewhere."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer
from typer.main import get_command

from darter.cli.app import COMMANDS, _load
from darter.model import Calibration, ModelInfo, export_with_preprocessing
from darter.model.info import to_json
from darter.picture import Preprocess
from tests.job.test_job import write_stripes
from tests.tiny_models import picture

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
QUICK = 'time="60s", strategy="linear-probe", size=64'  # what a test can wait for
OWN_TESTS = {"predict.md", "extending.md", "convolutions.md", "data.md", "resize.md"}
WITH_PYTHON = [
    page for page in PAGES
    if "```python" in page.read_text() and (page.name not in OWN_TESTS or "explain" in page.parts)
]  # fmt: skip


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def command_lines(page: Path) -> list[str]:
    """Lines of code blocks that call darter, comments and continuations taken care of."""
    text = page.read_text().replace("\\\n", " ")
    found = re.findall(r"^ {4,}(?:\$ )?(?:\S+/)?darter (.*)$", text, re.MULTILINE)
    return [re.split(r"\s#|\s2>|\s>\s|\s\|\s", line)[0] for line in found]


def options_of(name: str) -> set[str]:
    app = typer.Typer(add_completion=False)
    app.command(name)(_load(COMMANDS[name][0]))
    parameters = get_command(app).params
    return {option for p in parameters for option in (*p.opts, *p.secondary_opts)} | {
        "--help",
        "-h",
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_their_options_exist(page):
    for line in command_lines(page):
        words = line.split()
        if not words or words[0].startswith("-") or not words[0].islower():
            continue
        name = next((w for w in words if w in COMMANDS), None)
        assert name == words[0], f"darter {line}: there is no such command"
        given = {w.split("=")[0] for w in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", w)}
        if name == "bench":  # its subcommands have options of their own
            continue
        assert given <= options_of(name), f"darter {line}: unknown {given - options_of(name)}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if re.match(r"[a-z]+://", target):
            continue
        path = (page.parent / target).resolve()
        written = target.endswith(("commands.md", "recipe.md", "errors.md"))  # by docs/hooks.py
        assert path.exists() or written, f"{named(page)}: {target} is not there"


def test_every_install_line_works_from_the_folder():
    """No page promises an index that lacks darter."""
    for page in PAGES:
        for line in re.findall(r"pip install[^\n`]*", page.read_text()):
            assert not re.search(r"""install ["']?darter(\[|["'\s]|$)""", line), f"{page}: {line}"


def test_the_metadata_page_has_every_key():
    page = (DOCS / "reference" / "metadata.md").read_text()
    calibration = Calibration(1.0, 0.1, (0.5, 0.5))
    info = ModelInfo(("a", "b"), Preprocess(8, channels=1), calibration, precision="bfloat16")
    entries = to_json(info)
    names = [*entries, *entries["darter.preprocess"], *entries["darter.calibration"]]
    assert not [name for name in names if f"`{name}`" not in page]


def test_the_records_page_has_every_record():
    page = (DOCS / "reference" / "records.md").read_text()
    sources = "".join(f.read_text() for f in (ROOT / "src/darter/job").glob("*.py"))
    records = set(re.findall(r'\.record\(\s*"(\w+)"', sources))
    assert len(records) > 8
    assert not [name for name in records if f"`{name}.json`" not in page]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """photos/, run/ and what comes of it, as pages have them."""
    import darter

    place = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.chdir(place)
        write_stripes(place / "photos", 12)
        options = {"strategy": "linear-probe", "size": 64, "quiet": True}
        run = darter.fit("photos", time="60s", out="run", **options)
        shutil.copy("run/model.onnx", "model.onnx")
        export_with_preprocessing(run.model, "model.onnx", "model-pixels.onnx")
        shutil.rmtree("run")
        for name in ("photo", "another", "a", "b", "new"):
            picture(place / f"{name}.jpg", (120, 40, 90), (90, 70))
        shutil.copytree("photos", "labelled")
        yield place


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=named)
def test_python_of_pages_runs(page, folder, tmp_path, monkeypatch):
    for entry in folder.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    names: dict = {"__name__": "page"}
    try:
        for block in code(page):
            shortened = re.sub(r'time="\d+m"', QUICK, block)
            exec(compile(shortened, str(page), "exec"), names)
    finally:
        server = names.get("server")
        if server is not None:
            server.server_close()


def broken(site: Path) -> Iterator[tuple[str, str]]:
    """(page, link) of links within the site to a file or a heading that is not there."""
    texts = {page: page.read_text() for page in site.resolve().rglob("*.html")}
    headings = {page: set(re.findall(r'id="([^"]+)"', text)) for page, text in texts.items()}
    for page, text in texts.items():
        for link in re.findall(r'(?:href|src)="?([^"\s>]+)', text):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, heading = unquote(link).partition("#")
            parts = name.split("?")[0]
            start = site.resolve() if parts.startswith("/") else page.parent
            target = (start / parts.lstrip("/")).resolve() if parts else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or not {heading} <= headings.get(target, {heading}) | {""}:
                yield page.name, link


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (docs/requirements.txt)")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "reference" / "commands.html").read_text()
    assert all(f"darter {name}" in commands for name in COMMANDS)
    assert not [*broken(tmp_path)]
    python = (tmp_path / "reference" / "python.html").read_text()
    assert "<blockquote>" not in python and 'class="gp">&gt;&gt;&gt;' in python  # examples are code
    assert re.search(r"<li><code[^>]*>data</code>: a folder per class", python)
    for page in tmp_path.rglob("*.html"):
        paragraphs = re.findall(r"<p>((?:(?!<p>|<div).)*)</p>", page.read_text(), re.DOTALL)
        assert not [p for p in paragraphs if re.search(r"\n(\d+\.|[-*|]) ", p)], page  # lost lists
        # Nothing is fetched when it is read.
        assert not re.search(r'<(script|link|img)[^>]*(src|href)="https?://', page.read_text()), (
            page
        )
