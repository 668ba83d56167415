"""A model file rewritten smaller and faster, with its accuracy and its time beside the old."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darter.arrange import (
    Factorized,
    GraphModule,
    Stopwatch,
    Tuning,
    Wish,
    factorize,
    prune,
)
from darter.dataset import Sample, check_enough, data_of, run_of, run_parts, scan, split
from darter.errors import ExportError, ModelFileError, OptionError
from darter.files import check_writable, write_atomic
from darter.job.verdict import paired
from darter.model import (
    DRAWS,
    NOVELTY,
    ModelInfo,
    Session,
    evaluate_samples,
    get_task,
    graph_of,
    load,
    model_file,
    read_info,
    write_info,
)
from darter.net import Graph, needed, to_model

MOST_BYTES = 5e8  # of pictures in memory, of one part
MOST_HELD = 1000  # validation pictures that steps are judged by
LIMIT = 1e-3  # largest difference of a probability between the rewritten net and its file
PARITY = 64  # pictures
TIMED = 0.3  # seconds of each measurement of a whole net
FLOAT = 4  # bytes
SHIFT = 16  # a picture moves by that part of its side, at most, while the new net is taught
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures float16 (N, C, H, W) and what is to be said of them."""

    x: torch.Tensor
    targets: Any


def factorize_file(
    model: Path | str,
    data: Path | str,
    out: Path,
    wish: Wish,
    *,
    test: str | None = None,
    kinds: list[str] | None = None,
    drop: float | None = None,
    tuning: Tuning | None = None,
    batch: int = 1,
    threads: int | None = None,
    say: Say = lambda sentence: None,
) -> dict[str, Any]:
    """Rewrite a model file of darter's and write it to `out`; returns the table as a record.

    data: labelled pictures, as for `train`; its training pictures fit and teach, its validation
    pictures choose, and its test pictures judge both files. Pictures of the
    model's own run have the part that they had there.   drop: share of the channels of every
    layer to drop first.   batch: pictures that the time is measured for.
    Raises ModelFileError where the file is no classifier of darter's making, DataError where the
    pictures cannot be used, ExportError where the file would not answer as the rewritten net does.
    """
    path = model_file(model)
    _check(path, out, drop)
    info, session = read_info(path), load(path, threads=threads)
    original = GraphModule(_logits_of(path, session, say)).eval()
    parts = _parts(model, data, info, test, say)
    tuning = replace(tuning or Tuning(), several=info.task == "multilabel")
    train = _prepared(parts["train"], info, tuning.seed)
    held = _prepared(parts["val"], info, tuning.seed, MOST_HELD)
    say(f"{len(train.x)} training, {len(held.x)} validation, {len(parts['test'])} test pictures")
    watch = Stopwatch(batch, threads, session.precision)
    beside = watch.beside(original.graph(), TIMED)
    tuning = _as_pictures_allow(tuning, original, held, info, say)
    start = original if drop is None else _dropped(original, train.x, drop, say)
    found = factorize(
        start, train.x, lambda net: _score(net, held, info), wish,
        time=lambda net: beside(net.graph()),
        watch=watch, kinds=kinds, tuning=tuning, say=say,
        teacher=original,
    )  # fmt: skip
    content = _written(found, session, info, path, held)
    record = _record(path, session, content, found, original, parts["test"], watch)
    write_atomic(out, content)
    asked = {"out": str(out), "wish": asdict(wish), "drop": drop, "batch": batch}
    return record | asked | _judged(wish, record, found)


def _check(path: Path, out: Path, drop: float | None) -> None:
    """Refuse before any work what would fail after it."""
    if out.resolve() == path.resolve():
        raise OptionError(f"--out {out} is the model itself, which stays as it is; name a new file")
    if drop is not None and not 0 < drop < 1:
        raise OptionError(
            f"--drop {drop:g}: a share of the channels between 0% and 100% is expected, as 30%"
        )
    check_writable(out)


def _judged(wish: Wish, record: dict[str, Any], found: Factorized[GraphModule]) -> dict[str, Any]:
    """met, judged: whether each wish is met, and how near it came, by the figures of the record."""
    (before, ms), lost = record["ms"], found.score[0] - found.score[1]
    size = FLOAT * record["weights"][1]
    judged = []
    if wish.speedup is not None:
        said = f"{wish.speedup:g} times as fast wished, it is {before / ms:.2f} times"
        judged.append((before / ms >= wish.speedup, said))
    if wish.ms is not None:
        judged.append((ms <= wish.ms, f"{wish.ms:g} ms wished, it takes {ms:.3g} ms"))
    if wish.size is not None:
        said = f"{wish.size / 1e6:.3g} MB of weights wished, it has {size / 1e6:.3g} MB"
        judged.append((size <= wish.size, said))
    if wish.max_loss is not None:
        said = (
            f"{wish.max_loss:.2%} allowed to be lost on validation pictures, {max(lost, 0):.2%} is"
        )
        alone = len(judged) == 0
        judged.append((lost <= wish.max_loss and (found.met or not alone), said))
    return {"met": all(met for met, _ in judged), "judged": [said for _, said in judged]}


def _logits_of(path: Path, session: Session, say: Say) -> Graph:
    """The file's graph, as far as its logits need it."""
    graph = graph_of(path, improved=True)
    if len(graph.outputs) == 1:
        return graph
    if not {NOVELTY, DRAWS}.issuperset(session.signature.names[1:]):
        raise ModelFileError(f"{path}: has several outputs; one, of logits, can be rewritten")
    say("the new file will not say how foreign a picture is: that was of the old net's features")
    return needed(replace(graph, outputs=graph.outputs[:1]))


def _parts(
    model: Path | str, data: Path | str, info: ModelInfo, test: str | None, say: Say
) -> dict[str, list[Sample]]:
    """Training, validation and test pictures: as the model's run divided them, if they are its
    own; or as `train` divides pictures that it sees for the first time."""
    from darter.dataset import UNKNOWN, find_samples

    run = run_of(model)
    if run is not None and test is None and Path(data).resolve() == Path(data_of(run)).resolve():
        own = run_parts(run)
        say(f"pictures are divided as {run} divided them")
        held = own["val"] or own["train"]
        return {"train": own["train"], "val": held, "test": own["test"] or held}
    say(
        "note: these are divided anew, so that the model may have learned from some of the test "
        "pictures, if they are those that it was trained on"
    )
    audit = scan(find_samples(data, test=test, strangers=UNKNOWN not in info.classes))
    sides = split(audit, seed=int(info.card.get("seed", 0) or 0))
    check_enough(audit, sides)
    if sorted(audit.classes) != sorted(info.classes):
        raise ModelFileError(
            f"the pictures have the classes {_first(audit.classes)}; the model's are "
            f"{_first(info.classes)}"
        )
    samples = [picture.sample for picture in audit.pictures]
    found = {name: [samples[i] for i in getattr(sides, name)] for name in ("train", "val", "test")}
    return {**found, "test": found["test"] or found["val"]}


def _first(classes: Sequence[str], most: int = 9) -> str:
    return ", ".join(classes[:most]) + (", …" if len(classes) > most else "")


def _prepared(
    samples: list[Sample], info: ModelInfo, seed: int, most: int | None = None
) -> Pictures:
    """The pictures, some of them where all would take too much memory."""
    look = info.preprocess
    room = int(MOST_BYTES / (2 * np.prod(look.shape)))
    most = min(room, most or room)
    order = np.random.default_rng(seed).permutation(len(samples))[:most]
    chosen = [samples[int(k)] for k in order]
    x = torch.empty((len(chosen), *look.shape), dtype=torch.float16)
    for k in range(0, len(chosen), 64):
        x[k : k + 64] = torch.from_numpy(look.batch([s.path for s in chosen[k : k + 64]]))
    targets = get_task(info.task).targets([s.labels for s in chosen], info.classes)
    return Pictures(x, targets)


def _as_pictures_allow(
    tuning: Tuning, net: GraphModule, held: Pictures, info: ModelInfo, say: Say
) -> Tuning:
    """Teaching with pictures that move a little, and are mirrored where the net is right about as
    many mirrored validation pictures, by no more than a standard error, or one picture, less."""
    mirrored = Pictures(held.x.flip(3), held.targets)
    plain, other = (_score(net, pictures, info) for pictures in (held, mirrored))
    count = max(1, len(held.x))
    mirror = other >= plain - max((plain * (1 - plain) / count) ** 0.5, 1 / count)
    how = "in the mirror, too" if mirror else "the right way round only"
    say(f"{plain:.1%} of validation pictures are right, {other:.1%} in the mirror: taught {how}")
    return replace(tuning, mirror=mirror, shift=min(info.preprocess.sides) // SHIFT)


def _dropped(net: GraphModule, x: torch.Tensor, share: float, say: Say) -> GraphModule:
    before = sum(p.numel() for p in net.parameters())
    smaller = prune(copy.deepcopy(net), x[:2].float(), share)
    after = sum(p.numel() for p in smaller.parameters())
    say(f"channels dropped: {before:,} weights become {after:,}")
    assert isinstance(smaller, GraphModule)
    return smaller


@torch.no_grad()
def _logits(net: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    return np.concatenate([net(part.float()).numpy() for part in x.split(64)])


def _score(net: torch.nn.Module, held: Pictures, info: ModelInfo) -> float:
    """The mean rightness of a net's answers."""
    return float(get_task(info.task).rightness(_logits(net, held.x), held.targets).mean())


def _written(
    found: Factorized[GraphModule], session: Session, info: ModelInfo, path: Path, held: Pictures
) -> bytes:
    """The new file's content, once it is seen to answer as the rewritten net does."""
    from darter.model import runtime_of

    net = found.net
    proto = to_model(net.graph(), outputs=session.signature.names[:1])
    task = get_task(info.task)
    trained = _logits(net, held.x)
    calibration = task.calibrate(trained, held.targets)
    made = {
        "from": path.name,
        "ms": found.ms,
        "changed": {row.name: row.why for row in found.layers if row.weights[0] != row.weights[1]},
    }
    card = {**info.card, "factorized": made}
    over = info.over and replace(
        info.over, calibration=calibration
    )  # the old one is of the old net
    write_info(proto, replace(info, calibration=calibration, card=card, over=over, fitted=()))
    (logits,) = runtime_of(proto, "the rewritten model").run(held.x[:PARITY].float().numpy())
    ours, theirs = (task.probabilities(each) for each in (trained[:PARITY], logits))
    difference = float(np.abs(ours - theirs).max())
    if not difference <= LIMIT:
        raise ExportError(
            "nothing was written: the new file's answers differ from the rewritten net's by "
            f"{difference:.2g} (allowed: {LIMIT:g})"
        )
    return proto.SerializeToString(deterministic=True)


def _record(
    path: Path,
    session: Session,
    content: bytes,
    found: Factorized[GraphModule],
    original: GraphModule,
    test: list[Sample],
    watch: Stopwatch,
) -> dict[str, Any]:
    """Both files on the test pictures, their time and size."""
    import tempfile

    names = {f"layers.{number}": name for number, name in original.names().items()}
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "model.onnx"
        new.write_bytes(content)
        judged = [evaluate_samples(s, test) for s in (session, load(new, threads=watch.threads))]
    layers = [asdict(row) | {"name": names.get(row.name, row.name)} for row in found.layers]
    before, after = original, found.net
    return {
        "model": str(path),
        "n": judged[0].n,
        "measure": judged[0].measure,
        "change": paired(judged[1].right, judged[0].right),
        "score": [each.score for each in judged],
        "interval": [each.interval for each in judged],
        "validation_score": list(found.score),
        "ms": watch.in_turns(before.graph(), after.graph(), seconds=TIMED),
        "weights": [sum(p.numel() for p in net.parameters()) for net in (before, after)],
        "multiply_adds": [sum(row.multiply_adds[k] for row in found.layers) for k in (0, 1)],
        "bytes": [path.stat().st_size, len(content)],
        "layers": layers,
        "log": list(found.log),
    }
