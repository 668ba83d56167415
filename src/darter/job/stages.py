"""The stages of the main job up to a choice, each with its records; see job.py."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from threadpoolctl import threadpool_limits

from darter.dataset import (
    Listing,
    PictureCache,
    find_samples,
    groups_of,
)
from darter.distributed import Share, on_workers
from darter.errors import DataError, OptionError
from darter.files import user_cache
from darter.job.detecting import check_detector
from darter.job.eight_bits import check_int8
from darter.job.ensemble import check_backbones
from darter.job.look import look
from darter.job.material import Chosen, Material, Start
from darter.job.options import NO_STRANGERS, JobOptions
from darter.job.run import Run
from darter.job.strangers import readable, stranger_files
from darter.model import OTHERS, get_task
from darter.picture import Preprocess
from darter.train import Recipe, Trials, choose_device, make_preprocess
from darter.transfer import (
    STRATEGIES,
    Backbone,
    BackboneChoice,
    Choice,
    SizeChoice,
    Strategy,
    choose,
    choose_backbone,
    choose_size,
    examine,
    features,
    on_all_layers,
    small_net,
    small_size,
    strategies,
    zoo,
)

BACKBONE_SHARE = 0.1  # of all the time
FEWEST_COMPARED = 40  # training pictures; fewer cannot tell nets apart
SIZE_SHARE = 0.15  # of all the time
RACE_SHARE = 0.35  # of the time that is left after the features


def find(options: JobOptions) -> Listing:
    """Check what can be checked at once, and list the files below the data folder."""
    check_detector(options.recipe.detector)
    check_wish(options)
    check_int8(options)
    if options.recipe.strategy != "auto":
        strategies.get(options.recipe.strategy)
    given = options.unknown
    if given not in (None, NO_STRANGERS):
        stranger_files(given, most=1)
    choose_device(options.recipe.device)
    check_backbones(options.recipe)
    zoo.check(options.recipe.backbone, options.recipe.weights or None)
    listing = find_samples(options.data, test=options.test, strangers=given != NO_STRANGERS)
    if listing.strangers and given is None and not readable(listing.strangers, most=1):
        raise DataError(
            f"{options.data}: no picture in its folder unknown/ can be read. Take the folder away, "
            "or, if it is a class, say --unknown none."
        )
    if listing.task not in OTHERS:
        allowed(options.recipe)
    elif options.wish is not None:
        raise OptionError(
            "--speed and --file-size are for classifiers; these pictures train a model for "
            f"`{OTHERS[listing.task]}`. Leave the wish out, and choose a smaller --size."
        )
    elif options.int8:
        raise OptionError(
            "--precision int8 is for classifiers; these pictures train a model for "
            f"`{OTHERS[listing.task]}`. Leave it out."
        )
    return listing


def check_wish(options: JobOptions) -> None:
    """Raise OptionError where speed or file size are no wish, or meet what has no one model."""
    if options.wish is None:
        return
    recipe = options.recipe
    if recipe.ensemble > 1:
        raise OptionError(
            "--speed and --file-size make one model smaller; an ensemble has several. Leave "
            "--ensemble out, or the wish."
        )
    if recipe.strategy == "binary":
        raise OptionError(
            "--speed and --file-size rewrite layers of float32; a binary net is of 1 bit. Choose "
            "another --strategy, or leave the wish out."
        )


def material_of(run: Run, listing: Listing) -> Material:
    """The pictures, split, with their targets as arrays."""
    audit, parts = look(run, listing)
    task = get_task(audit.task)
    targets = task.targets([p.sample.labels for p in audit.pictures], audit.classes)
    return Material(audit, parts, task, targets, groups_of(audit), listing.strangers)


def backbone(run: Run) -> Backbone:
    """The net to start from, with its weights."""
    return zoo.load(run.recipe.backbone, run.recipe.weights or None)


def describe(run: Run, material: Material, backbone: Backbone) -> Start:
    """Settle the input size, compute the training pictures' features."""
    recipe = run.recipe
    with run.stage("features") as progress:
        sizes = _input_size(run, material, backbone, progress)
        backbone, sizes = _contest(run, material, backbone, sizes, progress)
        recipe = recipe.replace(size=sizes.size, backbone=backbone.name)
        preprocess = make_preprocess(recipe, backbone, material.audit.value_range)
        found = features(
            backbone,
            material.pictures(material.split.train),
            preprocess,
            cache_dir=user_cache("features"),
            mirror=True,
            device=recipe.device,
            progress=progress,
            workers=run.options.machines.reading,
        )
    run.folder.save(
        backbone={"name": backbone.name, "source": backbone.source, "size": preprocess.side}
    )
    text = f"{backbone.name} ({backbone.source})\nat {sizes.size}×{sizes.size} pixels: {sizes.why}"
    run.say("features", text)
    small = _small_look(run.recipe, material, preprocess)
    return Start(material, recipe, backbone, preprocess, small, sizes, found, PictureCache())


def _contest(
    run: Run,
    material: Material,
    backbone: Backbone,
    sizes: SizeChoice,
    progress: Callable[[int, int], None],
) -> tuple[Backbone, SizeChoice]:
    """The net that is worth its cost, where the recipe leaves it open: backbones.json."""
    recipe, train = run.recipe, list(material.split.train)
    if recipe.backbone != zoo.AUTO or recipe.weights:
        return backbone, sizes
    names = zoo.offline_names()
    if len(names) < 2 or len(train) < FEWEST_COMPARED:
        return backbone, sizes
    if run.folder.has("backbones"):
        choice = BackboneChoice.from_json(run.folder.read("backbones"))
    else:
        choice = choose_backbone(
            names,
            material.pictures(material.split.train),
            material.targets[train],
            material.groups[train],
            classes=material.classes,
            task=material.task,
            size=None if sizes.size == backbone.size else sizes.size,
            crop=recipe.crop,
            value_range=material.audit.value_range,
            cache_dir=user_cache("features"),
            device=recipe.device,
            seed=recipe.seed,
            seconds=BACKBONE_SHARE * run.options.seconds,
            later=max(0.0, run.time_left(len(material.judged[1]))),
            progress=progress,
        )
        run.folder.record("backbones", choice.to_json())
    run.screen.line("backbone", f"{choice.name}: {choice.why}")
    if choice.name == backbone.name:
        return backbone, sizes
    return zoo.load(choice.name), replace(sizes, size=choice.size)


def _small_look(recipe: Recipe, material: Material, preprocess: Preprocess) -> Preprocess:
    """What an untrained net sees: the whole picture, no larger than it is unless asked for."""
    size = preprocess.side
    if recipe.size == "auto":
        size = small_size(material.side, size)
    return make_preprocess(recipe.replace(size=size), small_net(size), preprocess.value_range)


def _input_size(
    run: Run, material: Material, backbone: Backbone, progress: Callable[[int, int], None]
) -> SizeChoice:
    """The recipe's size, or one that is measured once for a run: size.json."""
    recipe, train = run.recipe, list(material.split.train)
    if recipe.size != "auto":
        return SizeChoice(int(recipe.size), "as asked for")
    if run.folder.has("size"):
        return SizeChoice.from_json(run.folder.read("size"))
    choice = choose_size(
        backbone,
        material.pictures(material.split.train),
        material.targets[train],
        material.groups[train],
        classes=material.classes,
        task=material.task,
        picture_side=material.side,
        crop=recipe.crop,
        value_range=material.audit.value_range,
        cache_dir=user_cache("features"),
        device=recipe.device,
        seed=recipe.seed,
        seconds=SIZE_SHARE * run.options.seconds,
        progress=progress,
    )
    run.folder.record("size", choice.to_json())
    return choice


def decide(run: Run, start: Start) -> Chosen:
    """Race the strategies on the training pictures: journal.json, race.json."""
    folder = run.folder
    if not folder.done("race"):
        with folder.stage("race"), run.screen.race() as progress:
            choice = _race(run, start, progress)
            folder.record("race", replace(choice, sizes=start.sizes.records).to_json())
    race = folder.read("race")
    winner = race["winner"]
    said = f"{winner['strategy']}: {winner['why']}"
    if race.get("chance") is not None:
        said += f"\nwithout looking, by naming the commonest class: {race['chance']:.1%}"
    run.say("choose", said, stage="race")
    strategy = replace(strategies.get(winner["strategy"]), layers=winner["layers"])
    return Chosen(strategy, winner["learning_rate"], race["mirror"]["safe"], winner["why"])


def _race(run: Run, start: Start, progress: Callable[[str, float], None]) -> Choice:
    # Workers start while this process measures what needs no training, on one core: the threads of
    # linear algebra wait for each other, which takes several times as long where others compute.
    machines = run.options.machines
    begins = not run.folder.has("journal")
    shared = begins and machines.racing is not None and machines.cluster is None
    with (
        on_workers(machines.racing, at_once=begins) as share,
        threadpool_limits(1 if shared else None),
    ):
        return _choose(run, start, progress, share)


def _choose(run: Run, start: Start, progress: Callable[[str, float], None], share: Share) -> Choice:
    material, recipe, folder = start.material, start.recipe, run.folder
    train = material.split.train
    examined = examine(
        start.found,
        material.targets[list(train)],
        material.groups[list(train)],
        allowed(recipe),
        classes=material.classes,
        task=material.task,
        budget_seconds=max(0.0, RACE_SHARE * run.time_left(len(material.judged[1]))),
        seed=recipe.seed,
        progress=progress,
        past=folder.read("journal") if folder.has("journal") else None,
        record=partial(folder.record, "journal"),
    )
    bench = examined.bench
    trials = Trials(
        start.net,
        partial(start.look, mirror_safe=examined.mirror_safe),
        start.found,
        material.examples(train),
        material.classes,
        recipe.replace(precision=bench.journal.precision or recipe.precision),
        penalties=bench.penalties(),
        cache=start.cache,
    )
    trial, ahead = share(trials)
    return choose(
        examined,
        trial,
        picture_side=material.side,
        layers=recipe.layers,
        progress=progress,
        ahead=ahead,
    )


def allowed(recipe: Recipe) -> list[Strategy]:
    """The strategies that may win, with the learning rates that the recipe leaves open."""
    raced = [name for name, strategy in STRATEGIES.items() if strategy.raced]
    names = raced if recipe.strategy == "auto" else [recipe.strategy]
    named = [strategies.get(name) for name in names]
    if recipe.learning_rate != "auto":
        rates = (float(recipe.learning_rate),)
        named = [s if s.is_probe else replace(s, learning_rates=rates) for s in named]
    if recipe.layers == "all":
        named = [on_all_layers(s) for s in named]
    return named
