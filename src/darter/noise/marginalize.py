"""One function that averages a model's answers over any mix of sources of noise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.model import ModelInfo, Session, averaging, get_task, stream_logits
from darter.noise.marginal import Marginal, marginal
from darter.noise.sources import Sources, parse_sources
from darter.picture import Preprocess, make_look

Batch = NDArray[np.float32]


def marginalize(
    model: Any,
    pictures: Iterable[Any],
    over: Sequence[str] = (),
    *,
    preprocess: Preprocess | None = None,
    augment: Mapping[str, Mapping[str, Any]] | None = None,
    task: str | None = None,
    weights: Sequence[float] = (),
    average: str = "probabilities",
    seed: int = 0,
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> Marginal:
    """Average answers over looks at each picture, layers that stay noisy, and several models.

    model: a `Session`, a PyTorch module or any callable from a batch, float32 (N, 3, S, S), to
        logits (N, classes); or a list of these, which ("models",) averages over.
    pictures: paths, encoded bytes, uint8 arrays (H, W, 3) or pairs (name, one of these). Each is
        decoded once; its looks fill batches together with those of other pictures.
    over: "views:10x5", "flip", "augment:8", "dropout:16", "dropconnect:16",
        "dropconnect-gaussian:16", "models", in any mix: every look is shown to every model in
        every draw. None of them is the plain answer.
    preprocess, task: a Session knows its own.   augment: the random changes of "augment:8".
    weights: of the samples, which run models first, then draws, then looks.
    average: of "probabilities" or "logits".   seed: of what is drawn.
    Pictures that cannot be read are left out and listed in the result.
    Raises OptionError for a source that a model does not have, such as dropout in a Session.

    >>> found = marginalize(session, paths, ["views:10x5"])
    >>> found.mean.argmax(axis=1), found.mutual_information
    """
    sources = parse_sources(over)
    models = list(model) if isinstance(model, list | tuple) else [model]
    if len(models) > 1 and not sources.models:
        raise OptionError(f'{len(models)} models were given: average over "models", or give one')
    info = _info(models, preprocess, task, augment)
    look = make_look(sources.looks, info.preprocess, augment=info.card.get("augment"))
    runs = [_sampler(one, sources, seed) for one in models]

    def run(images: Batch) -> NDArray[np.float32]:
        """(N, 3, S, S) -> (N, models × draws, classes)."""
        return np.stack([row for sample in runs for row in sample(images)], axis=1)

    rows: list[NDArray[np.float32]] = []
    unreadable: list[tuple[str, str]] = []
    answers = stream_logits(
        run, info, pictures, batch_size=batch_size, look=look, merge=lambda rows: rows
    )
    for done, (name, found, _) in enumerate(answers, 1):
        if isinstance(found, str):
            unreadable.append((name, found))
        else:  # (looks, models × draws, classes)
            rows.append(found.swapaxes(0, 1).reshape(-1, found.shape[-1]))
        if progress is not None:
            progress(done)
    if not rows:
        raise OptionError("marginalize: none of the pictures can be read" if unreadable
                          else "marginalize: there are no pictures")  # fmt: skip
    return marginal(
        np.stack(rows, axis=1),
        task=info.task,
        weights=weights,
        average=average,
        unreadable=unreadable,
    )


def _info(
    models: Sequence[Any],
    preprocess: Preprocess | None,
    task: str | None,
    augment: Mapping[str, Any] | None,
) -> ModelInfo:
    """What stands for all models: preprocessing, task, and the augmentation in the card."""
    infos = [model.info for model in models if isinstance(model, Session)]
    looks = {info.preprocess for info in infos} | ({preprocess} if preprocess else set())
    if preprocess is None and len(looks) > 1:
        raise OptionError("the models look at pictures in different ways; average them one by one")
    if not looks:
        raise OptionError("marginalize: a module or a function needs preprocess=Preprocess(…)")
    base = infos[0] if infos else ModelInfo(("?",), next(iter(looks)))
    card = base.card if augment is None else {**base.card, "augment": augment}
    chosen = get_task(task or base.task).name
    return replace(base, preprocess=preprocess or base.preprocess, task=chosen, card=card)


def _sampler(model: Any, sources: Sources, seed: int) -> Callable[[Batch], list[NDArray]]:
    """images -> one array of logits (N, classes) for each draw."""
    if isinstance(model, Session) and sources.kept_on:
        return _of_file(model, sources)
    run, noisy = _runner(model, sources, seed)

    def sample(images: Batch) -> list[NDArray]:
        found = []
        for number in range(sources.draws):
            with noisy(number):
                found.append(run(images))
        return found

    return sample


def _of_file(session: Session, sources: Sources) -> Callable[[Batch], list[NDArray]]:
    """The draws that a file holds. OptionError where it has none of this kind."""
    if sources.gaussian:
        raise OptionError("dropconnect-gaussian: a file holds draws of masks; say dropconnect")
    asked = [f"{kind}:{sources.draws}" for kind in sources.kept_on]
    count, classes = averaging(session.info, asked).draws, len(session.info.classes)
    return lambda images: [*session.drawn(images, count)[..., :classes].swapaxes(0, 1)]


def _runner(
    model: Any, sources: Sources, seed: int
) -> tuple[Callable[[Batch], NDArray], Callable[[int], AbstractContextManager]]:
    if not hasattr(model, "parameters"):
        if sources.kept_on:
            raise OptionError(
                f"{', '.join(sources.kept_on)}: only a PyTorch module has noisy layers; give the "
                "module, or train with `darter train --ensemble`"
            )
        run = model.logits if isinstance(model, Session) else model
        return lambda images: np.asarray(run(images)), lambda _: nullcontext()
    from darter.noise.kept_on import run_module, sampling

    def noisy(number: int) -> AbstractContextManager:
        return sampling(model, sources.kept_on, gaussian=sources.gaussian, seed=seed + number)

    return partial(run_module, model), noisy
