"""A caption model's file in use: pictures in, sentences out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from darter.errors import DarterError, ModelFileError, UnsupportedError
from darter.model.captions.sentence import Caption
from darter.model.captions.words import Vocabulary
from darter.model.info import ModelInfo, read_info
from darter.model.predict import Picturelike, as_pixels, named_source
from darter.model.session import Session, load

BATCH = 8


@dataclass(frozen=True)
class Captioner:
    """Writes sentences about pictures. Made by `load_captioner`; safe to share between threads."""

    session: Session
    info: ModelInfo

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.info.classes)

    def caption(self, sources: Iterable[Picturelike] | Path | str | bytes) -> Iterator[Caption]:
        """A sentence for each picture, in their order; one that cannot be read has an `error`."""
        if isinstance(sources, str | bytes | Path):
            sources = [sources]
        numbered = iter(enumerate(sources, 1))
        while batch := list(islice(numbered, BATCH)):
            yield from self._answer(batch)

    def _answer(self, batch: list[tuple[int, Any]]) -> Iterator[Caption]:
        names, images = [], []
        errors: dict[int, str] = {}
        for place, (number, source) in enumerate(batch):
            name, given = named_source(source, number)
            names.append(name)
            try:
                images.append(self.info.preprocess(as_pixels(given)))
            except DarterError as error:
                errors[place] = str(error).removeprefix(f"{name}: ")
        answers = iter(self._read(np.stack(images)) if images else ())
        for place, name in enumerate(names):
            if place in errors:
                yield Caption(name, None, error=errors[place])
                continue
            (sentence, value), *others = next(answers)
            yield Caption(name, sentence, value, tuple(others))

    def _read(self, images: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each picture its sentences with their log probabilities, likeliest first."""
        output = self.session.run(images)
        if isinstance(output, list) or output.ndim != 3 or len(output) != len(images):
            raise ModelFileError("the model's output is not (pictures, sentences, 1 + words)")
        if not np.isfinite(output).all():
            raise ModelFileError("the model's answers are no numbers; its weights may be damaged")
        words = self.vocabulary
        count = len(words.words)
        return [
            [(words.sentence(np.clip(row[1:], 0, count - 1)), float(row[0])) for row in rows]
            for rows in output
        ]


def load_captioner(
    path: Path | str, *, runtime: str = "auto", precision: str | None = None,
    threads: int | None = None,
) -> Captioner:  # fmt: skip
    """A model file that writes sentences. ModelFileError, with the right command, for others."""
    info = read_info(path)
    if info.task != "caption":
        command = "detect" if info.task == "detect" else "predict"
        raise ModelFileError(
            f"{path} writes no sentences, it was trained to {info.task}: use `darter {command}`"
        )
    if runtime != "auto":
        session = load(path, runtime=runtime, precision=precision, threads=threads)
        return Captioner(session, info)
    try:
        return Captioner(load(path, runtime="darter", precision=precision, threads=threads), info)
    except UnsupportedError:
        return Captioner(load(path, runtime="onnxruntime", threads=threads), info)
