"""Pictures to training tensors: darter against albumentations, torchvision v2 and Pillow.

    python bench/data.py [--photos FOLDER] [--rounds 7] [--only ROW …]

Each contestant turns JPEG content into float32 (3, 224, 224), on one thread; a contestant that is
not installed is left out and named. All take turns within each round, so that a busy machine slows
all of them. What counts is processor time of the process. Every result is checked before anything
is timed. Without --photos the pictures are synthetic (noise with the spectrum of photos). Prints
the peaks of one core and pictures per second (min/median/max of the rounds), and writes
bench/results/data-CPU.jsonl.
"""

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from PIL import Image

from darter import kernels
from darter.machine import cpu_name
from darter.picture import Augment, Preprocess, apply, decode, open_pixels

SIZE = 224
PARTS = "parts of darter"
JITTER = 0.4
PASSES = 4  # over the pictures in one turn: long enough that caches hold what a run would hold
PLAIN = {
    "scale_crop": {"short_side": (256, 480)},
    "flip": {},
    "jitter": {"brightness": JITTER, "contrast": JITTER, "saturation": JITTER},
}
RICH = {
    **PLAIN,
    "rotate": {"degrees": (-15, 15)},
    "stretch": {"x": (0.85, 1.18), "y": (0.85, 1.18)},
    "shear": {"x": (-8, 8), "y": (-8, 8)},
    "translate": {},
    "lens": {"k": (-0.15, 0.15)},
    "jitter": {**PLAIN["jitter"], "hue": 0.05},
    "pca_noise": {},
}

Contestant = Callable[[bytes, int], object]


class Statistics:
    covariance = np.array(((0.07, 0.06, 0.05), (0.06, 0.07, 0.06), (0.05, 0.06, 0.08)))


def synthetic(width: int, height: int, seed: int) -> Image.Image:
    """Noise whose spectrum falls like 1/f, as that of photos does."""
    rng = np.random.default_rng(seed)
    down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    fall = 1 / np.maximum(np.hypot(down, across), 1 / max(width, height)) ** 1.2

    def layer() -> np.ndarray:
        spectrum = np.fft.rfft2(rng.normal(size=(height, width))) * fall
        return np.fft.irfft2(spectrum, (height, width))

    shared = layer()
    pixels = np.stack([shared + 0.3 * layer() for _ in range(3)], axis=2)
    pixels = 128 + 55 * (pixels - pixels.mean()) / pixels.std()
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpegs(folder: Path | None, count: int, size: tuple[int, int], quality: int) -> list[bytes]:
    """Content of `count` JPEG files of one size."""
    if folder is None:
        images = [synthetic(*size, seed) for seed in range(count)]
    else:
        files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg"))
        images = [Image.fromarray(decode(f).pixels).resize(size) for f in files[:count]]
    contents = []
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        contents.append(buffer.getvalue())
    return contents


def darter_with(spec: dict) -> Contestant:
    augment = Augment.from_dict(spec, SIZE, pixels=Statistics())
    slot = np.empty((3, SIZE, SIZE), np.float32)

    def run(content: bytes, index: int) -> object:
        augment.write(open_pixels(content, min_side=augment.min_side), slot, 0, 0, index)
        return slot

    return run


def darter_preprocess() -> Contestant:
    preprocess = Preprocess(SIZE)
    return lambda content, index: preprocess(content)


def albumentations_with(rich: bool) -> Contestant:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # no look at the network
    import albumentations as a
    import cv2

    cv2.setNumThreads(1)
    factors = (1 - JITTER, 1 + JITTER)
    steps = [
        a.SmallestMaxSize(max_size=list(range(256, 481)), p=1),
        a.RandomCrop(SIZE, SIZE, p=1),
        a.HorizontalFlip(p=0.5),
    ]
    if rich:
        steps += [
            a.Affine(
                scale={"x": (0.85, 1.18), "y": (0.85, 1.18)},
                rotate=(-15, 15),
                shear={"x": (-8, 8), "y": (-8, 8)},
                translate_percent=(-0.1, 0.1),
                border_mode=cv2.BORDER_REFLECT,
                p=1,
            ),
            a.OpticalDistortion(distort_limit=(-0.15, 0.15), p=1),
        ]
    steps.append(a.ColorJitter(factors, factors, factors, (-0.05, 0.05) if rich else (0, 0), p=1))
    if rich:
        steps.append(a.FancyPCA(alpha=0.1, p=1))
    pipeline = a.Compose([*steps, a.Normalize(), a.ToTensorV2()])

    def run(content: bytes, index: int) -> object:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        return pipeline(image=picture)["image"].numpy()

    return run


def torchvision_with(rich: bool, pillow: bool) -> Contestant:
    import torch
    from torchvision.io import decode_jpeg
    from torchvision.transforms import InterpolationMode, v2

    torch.set_num_threads(1)
    steps: list = [
        v2.RandomShortestSize(list(range(256, 481)), antialias=True),
        v2.RandomCrop(SIZE),
        v2.RandomHorizontalFlip(),
    ]
    if rich:
        bilinear = InterpolationMode.BILINEAR
        steps.append(
            v2.RandomAffine(15, (0.1, 0.1), (0.85, 1.18), (-8, 8, -8, 8), interpolation=bilinear)
        )
    steps.append(v2.ColorJitter(JITTER, JITTER, JITTER, 0.05 if rich else 0))
    if pillow:
        steps.append(v2.PILToTensor())
    normalize = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    pipeline = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), normalize])

    def run(content: bytes, index: int) -> object:
        if pillow:
            return pipeline(Image.open(io.BytesIO(content)).convert("RGB")).numpy()
        encoded = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        return pipeline(decode_jpeg(encoded)).numpy()

    return run


def warp_alone(spec: dict, contents: list[bytes]) -> Contestant:
    """Pixels are decoded and warps are drawn before; only the resampling is timed."""
    augment = Augment.from_dict(spec, SIZE, pixels=Statistics())
    pixels = [decode(content).pixels for content in contents] * 8
    warps = [augment.sample(0, 0, i, p.shape[1::-1]) for i, p in enumerate(pixels)]
    slot = np.empty((3, SIZE, SIZE), np.float32)

    def run(content: bytes, index: int) -> object:
        return apply(pixels[index % len(pixels)], warps[index % len(pixels)], slot)

    return run


def decode_alone(content: bytes, index: int) -> object:
    decode(content)
    return np.zeros((3, SIZE, SIZE), np.float32)


def decode_what_is_seen(spec: dict) -> Contestant:
    """The part of each picture that its view shows, views drawn anew."""
    augment = Augment.from_dict(spec, SIZE, pixels=Statistics())

    def run(content: bytes, index: int) -> object:
        pixels = open_pixels(content, min_side=augment.min_side)
        warp = augment.sample(0, 0, index, pixels.size)
        box = kernels.reach(warp.homography, warp.lens, warp.border, warp.picture, warp.size)
        pixels.decode(box)
        return np.zeros((3, SIZE, SIZE), np.float32)

    return run


def contests(photos: list[bytes], large: list[bytes]) -> dict[str, tuple[list[bytes], dict]]:
    """Row -> (pictures, contestant name -> how to make it); the first contestant is darter."""
    plain = {
        "darter": lambda: darter_with(PLAIN),
        "albumentations": lambda: albumentations_with(False),
        "torchvision v2, tensors": lambda: torchvision_with(False, False),
        "torchvision v2, Pillow": lambda: torchvision_with(False, True),
    }
    rich = {
        "darter": lambda: darter_with(RICH),
        "albumentations": lambda: albumentations_with(True),
        "torchvision v2, tensors (no lens, no PCA)": lambda: torchvision_with(True, False),
    }
    parts = {
        "decode all": lambda: decode_alone,
        "draw and decode what is seen: scale crop": lambda: decode_what_is_seen(PLAIN),
        "draw and decode what is seen: everything": lambda: decode_what_is_seen(RICH),
        "preprocess, decode included": darter_preprocess,
        "warp: scale crop + flip + jitter": lambda: warp_alone(PLAIN, photos),
        "warp: everything": lambda: warp_alone(RICH, photos),
    }
    return {
        "photos: scale crop + flip + jitter": (photos, plain),
        "photos: the same + rotation, stretch, shear, translation, lens, hue, PCA": (photos, rich),
        "large photos: scale crop + flip + jitter": (large, plain),
        PARTS: (photos, parts),
    }


def checked(name: str, make: Callable[[], Contestant], content: bytes) -> Contestant | None:
    """The contestant, after one look at what it makes; None where it is not installed."""
    try:
        run = make()
    except ImportError as error:
        print(f"  {name}: left out, {error}")
        return None
    made = np.asarray(run(content, 0))
    if made.shape != (3, SIZE, SIZE) or made.dtype != np.float32 or not np.isfinite(made).all():
        raise SystemExit(f"{name} made {made.dtype} {made.shape}; nothing is timed")
    if np.abs(made).max() > 3:  # beyond what ImageNet's mean and deviation make of [0, 1]
        raise SystemExit(f"{name} does not normalize; nothing is timed")
    return run


def measure(runs: dict[str, Contestant], contents: list[bytes], rounds: int) -> dict[str, list]:
    """Pictures per second of processor time, round by round, contestants taking turns."""
    rates: dict[str, list] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            for index, content in enumerate(contents * PASSES):
                run(content, turn * len(contents) * PASSES + index)
            spent = time.process_time() - start
            if turn:  # the first round warms up
                rates[name].append(len(contents) * PASSES / spent)
    return rates


def about_this_run(photos: Path | None) -> dict[str, object]:
    """CPU, settings and versions."""
    found: dict[str, object] = {"cpu": cpu_name(), "isa": kernels.active_isa()}
    with kernels.using_threads(1):
        peak = kernels.measure_peak()
    found |= {"gflops": round(peak.gflops), "gigabytes_per_second": round(peak.gigabytes, 1)}
    found |= {"threads": 1, "photos": photos.name if photos else "synthetic"}
    names = ("darter", "albumentations", "opencv-python-headless", "torchvision", "pillow")
    for name in (*names, "simplejpeg"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of JPEGs, resized to 534x400")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the rows to run, from 0")
    options = parser.parse_args()
    photos = jpegs(options.photos, 32, (534, 400), 75)
    large = jpegs(options.photos, 2, (4000, 3000), 85)
    about = about_this_run(options.photos)
    kilobytes = [round(sum(map(len, c)) / len(c) / 1000) for c in (photos, large)]
    print(json.dumps(about))
    print(f"photos of {kilobytes[0]} kB, large photos of {kilobytes[1]} kB; pictures per second")
    lines = []
    for number, (row, (contents, makers)) in enumerate(contests(photos, large).items()):
        if options.only and number not in options.only:
            continue
        print(row)
        runs = {name: checked(name, make, contents[0]) for name, make in makers.items()}
        rates = measure({n: r for n, r in runs.items() if r}, contents, options.rounds)
        first = statistics.median(next(iter(rates.values())))
        for name, values in rates.items():
            middle = statistics.median(values)
            ratio = "" if row == PARTS else f"   darter: {first / middle:.2f} times as fast"
            print(f"  {name:42} {min(values):7.1f} {middle:7.1f} {max(values):7.1f}{ratio}")
            record = {"row": row, "contestant": name, "rounds": len(values), **about}
            record |= {"min": min(values), "median": middle, "max": max(values)}
            lines.append(json.dumps(record) + "\n")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    cpu = str(about["cpu"]).lower().replace(" ", "-")
    (results / f"data-{cpu}.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
