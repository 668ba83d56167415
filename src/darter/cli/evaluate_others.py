"""`darter evaluate` of detectors and of caption models."""

from pathlib import Path
from typing import TYPE_CHECKING

from darter.cli.progress import progress_bar
from darter.files import write_atomic
from darter.names import to_json

if TYPE_CHECKING:
    from darter.dataset import Sample


def detector_on(
    model: str,
    samples: list["Sample"],
    used: str | None,
    shown: str,
    json: bool,
    csv: Path | None,
    html: Path | None,
    runtime: str,
    threads: int | None,
    tiles: int,
) -> None:
    """Average precision and counts of a detector on pictures with boxes."""
    from darter.cli import finds
    from darter.model import evaluate_detector, load_detector

    detector = load_detector(model, runtime=runtime, threads=threads)
    with progress_bar() as progress:
        result = evaluate_detector(detector, samples, tiles=tiles, progress=progress)
    record, title = result.to_json(split=used or "all"), f"{model} on {shown}"
    if csv is not None:
        write_atomic(csv, finds.rows_as_csv(result))
    if html is not None:
        from darter.report import write_detections

        write_detections(record, html, title=title)
    if json:
        print(to_json(record))
    else:
        finds.show(result, record, title)


def captions_on(
    model: str,
    samples: list["Sample"],
    used: str | None,
    shown: str,
    json: bool,
    csv: Path | None,
    runtime: str,
    threads: int | None,
) -> None:
    """BLEU, ROUGE-L and CIDEr of sentences against those that people wrote."""
    from darter.cli import sentences
    from darter.model import evaluate_captions, load_captioner

    captioner = load_captioner(model, runtime=runtime, threads=threads)
    with progress_bar() as progress:
        result = evaluate_captions(captioner, samples, progress=progress)
    record = result.to_json(split=used or "all")
    if csv is not None:
        write_atomic(csv, sentences.rows_as_csv(result))
    if json:
        print(to_json(record))
    else:
        sentences.show(result, f"{model} on {shown}")
