"""One self-contained page about a training run: report.html from the records of its folder."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import darter
from darter.errors import MissingExtraError
from darter.extras import install_line
from darter.files import write_atomic
from darter.report import charts, words
from darter.report import sections as build
from darter.report.records import Records, read_records

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE, NARROW = 760, 334  # pixels that a chart gets on a screen of 1280 and of 390
# id, heading, its words in the list of contents, what builds its context
Section = tuple[str, str, str, Callable[[Records], dict[str, Any]]]
CLASSIFY: tuple[Section, ...] = (
    ("use", "How to use the model", "Use it", build.use),
    ("pictures", "Your pictures", "Your pictures", build.pictures),
    ("split", "What was used for what", "The split", build.split),
    ("cell", "What kind of task this is", "Kind of task", build.cell),
    ("race", "How the model was chosen", "The race", build.race),
    ("growth", "Would more pictures help?", "More pictures?", build.growth),
    ("training", "How the training went", "Training", build.training),
    ("confusion", "What gets mistaken for what", "Mix-ups", build.confusion),
    ("classes", "Class by class", "Class by class", build.classes),
    ("confidence", "Can its confidence be trusted?", "Confidence", build.confidence),
    ("averaging", "Would several looks help?", "Several looks", build.averaging),
    ("mistakes", "The worst mistakes", "Mistakes", build.mistakes),
    ("speed", "Speed and size", "Speed and size", build.speed),
    ("arranged", "What was wished, and its cost", "The wish", build.arranged),
    ("precisions", "The same model with fewer bits", "Fewer bits", build.precisions),
    ("limits", "What these figures do not say", "Limits", build.limits),
    ("making", "How this was made", "How it was made", build.making),
)
MULTILABEL = (
    *CLASSIFY[:7],
    ("labels", "Label by label", "Label by label", build.labels),
    *CLASSIFY[10:],
)
DETECT: tuple[Section, ...] = (
    ("detect_use", "How to use the model", "Use it", build.detect_use),
    *CLASSIFY[1:3],
    ("training", "How the training went", "Training", build.training),
    ("detect_classes", "Class by class", "Class by class", build.detect_classes),
    ("detect_misses", "Missed, and told wrongly", "Misses", build.detect_misses),
    ("detect_speed", "Speed and size", "Speed and size", build.detect_speed),
    ("detect_limits", "What these figures do not say", "Limits", build.detect_limits),
    CLASSIFY[-1],
)
CAPTION: tuple[Section, ...] = (
    ("caption_use", "How to use the model", "Use it", build.caption_use),
    *CLASSIFY[1:3],
    ("training", "How the training went", "Training", build.training),
    ("caption_scores", "How good the sentences are", "Scores", build.caption_scores),
    ("caption_gallery", "Some of its sentences", "Sentences", build.caption_gallery),
    ("caption_speed", "Speed and size", "Speed and size", build.caption_speed),
    ("caption_limits", "What these figures do not say", "Limits", build.caption_limits),
    CLASSIFY[-1],
)
SECTIONS = {"classify": CLASSIFY, "multilabel": MULTILABEL, "detect": DETECT, "caption": CAPTION}


def write_html(run_dir: Path | str) -> Path:
    """Write RUN/report.html from the records in RUN and return its path.

    The page is one file: pictures are inside it, and it asks no network for anything. A record
    that is missing is said to be missing; the page is written all the same.

    Raises DataError where RUN holds no run or a record is damaged, MissingExtraError where
    jinja2 is not installed.
    """
    records = read_records(run_dir)
    path = records.folder / "report.html"
    write_atomic(path, render(records))
    return path


def render(
    records: Records,
    *,
    sections: tuple[Section, ...] | None = None,
    picture: Callable[[str | None], str | None] | None = None,
) -> str:
    """The page as text. Everything that a user named (classes, files) is escaped.

    sections: those of the records' task by default.   picture: the data URI of a picture that the
    records name; of the run folder by default.
    """
    environment = _environment()
    script = _asset("copy.js")
    told = [(key, heading, short, tell(records))
            for key, heading, short, tell in sections or SECTIONS[records.task]]  # fmt: skip
    return environment.get_template("report.html.j2").render(
        result=build.result(records),
        measure=records.measure,
        sections=[
            {"id": key, "heading": heading, "short": short, **values}
            for key, heading, short, values in told
            if not values.get("absent")
        ],
        style=_asset("style.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=darter.__version__,
        picture=picture or partial(picture_uri, records.folder),
    )


def write_precisions(record: Mapping[str, Any], out: Path) -> None:
    """Write one self-contained page.   record: of `darter.quantize.compare_precisions`.

    Raises MissingExtraError where jinja2 is not installed.
    """
    page = (
        _environment()
        .get_template("alone.html.j2")
        .render(
            heading=f"{Path(record['model']).name} with fewer bits",
            section="precisions",
            s=build.of_record(record),
            style=_asset("style.css") + _asset("analysis.css"),
            version=darter.__version__,
        )
    )
    write_atomic(out, page)


def picture_uri(folder: Path, name: str | None) -> str | None:
    """A picture of the run as a data URI; None where the run folder holds no such JPEG or PNG."""
    if not name:
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    data = path.read_bytes()
    for start, kind in ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n", "png")):
        if data.startswith(start):
            return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return None


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise MissingExtraError(
            f"writing the report needs jinja2: {install_line('train')}"
        ) from None
    environment = Environment(
        loader=PackageLoader("darter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        *("percent", "interval", "count", "duration", "large", "significant"),
        *("sentence", "heading", "paired_change"),
    ):
        environment.filters[name] = getattr(words, name)
    environment.globals["chart"] = _chart
    environment.globals["bar"] = lambda *args: _markup(charts.bar(*args))
    return environment


def _chart(name: str, *args: Any, wide: int = WIDE, narrow: int = NARROW, **options: Any) -> str:
    """Both drawings of a chart; the style sheet shows the one that fits the screen."""
    draw: Callable[..., str] = getattr(charts, name)
    drawings = (("wide", wide), ("narrow", narrow))
    return _markup(
        "".join(f'<div class="{k}">{draw(*args, width, **options)}</div>' for k, width in drawings)
    )


def _markup(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)


def _asset(name: str) -> str:
    return (files("darter.report") / "templates" / name).read_text(encoding="utf-8")
