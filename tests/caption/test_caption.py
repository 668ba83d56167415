"""A caption model learns, resumes to the same bits, and its file writes what it writes."""

import csv

import numpy as np
import pytest
import torch
from annotated import shapes

from darter.caption import (
    CaptionExamples,
    Captioning,
    CaptionTraining,
    export,
    grid_features,
    length_of,
    make_retrieval,
    sentences_of,
    settle,
)
from darter.dataset import find_samples, scan
from darter.model import END, ModelInfo, Vocabulary, load_captioner
from darter.picture import Augment, Preprocess
from darter.train import Interrupted, Recipe, fit
from darter.transfer import zoo
from tests.stopping import StopsAfter

SIZE = 64


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Pictures of discs and squares with sentences, and what the backbone sees of them."""
    root = tmp_path_factory.mktemp("captions")
    boxes = find_samples(shapes(root, 16))
    with (root / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "caption"))
        for sample in boxes.samples:
            rows.writerow((sample.path, "there is a " + " and a ".join(sample.labels)))
    audit = scan(find_samples(root / "list.csv"))
    backbone = zoo.load()
    preprocess = Preprocess(SIZE, SIZE, "squash", backbone.mean, backbone.std)
    paths = [picture.sample.path for picture in audit.pictures]
    texts = [picture.sample.target.sentences for picture in audit.pictures]
    return backbone, preprocess, paths, texts, grid_features(backbone, paths, preprocess)


def train(material, out, *, epochs=4, watch=None):
    backbone, preprocess, paths, texts, grids = material
    vocabulary = Vocabulary.of([t for each in texts for t in each], least=1)
    length = length_of(texts)
    parts = [
        CaptionExamples(grids[part], texts[part], [p.name for p in paths[part]], vocabulary, length)
        for part in (slice(0, 12), slice(12, 16))
    ]
    strategy, recipe = settle(Recipe(epochs=epochs, batch_size=4, threads=1))
    model = Captioning(backbone, grids.shape[2], len(vocabulary.words), length)
    fitted = fit(
        model,
        strategy,
        recipe,
        *parts,
        out,
        augment=Augment((), SIZE),
        preprocess=preprocess,
        kind=CaptionTraining,
        resume=True,
        progress=watch,
    )
    return fitted, vocabulary


def test_learns_resumes_to_the_same_bits_and_exports(material, tmp_path):
    whole, vocabulary = train(material, tmp_path / "whole")
    assert whole.history[-1]["loss"] < 0.8 * whole.history[1]["loss"]
    with pytest.raises(Interrupted):
        train(material, tmp_path / "parts", watch=StopsAfter(5))
    again, _ = train(material, tmp_path / "parts")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    _, preprocess, paths, _, grids = material
    info = ModelInfo(vocabulary.words, preprocess, task="caption")
    parity = export(whole.model, tmp_path / "model.onnx", info, paths[12:14])
    assert parity.passed
    answers = list(load_captioner(tmp_path / "model.onnx").caption([*paths[12:14], "no.jpg"]))
    assert answers[2].error and answers[2].sentence is None
    said = sentences_of(whole.model, grids[12:14], vocabulary)
    assert [answer.sentence for answer in answers[:2]] == said
    assert len(answers[0].others) == 2


def test_the_search_finds_the_likeliest_sentence(material):
    """With three beams over few words it finds what trying every sentence finds."""
    backbone, *_, grids = material
    torch.manual_seed(3)
    model = Captioning(backbone, grids.shape[2], 6, 2).eval()
    with torch.no_grad():
        for parameter in model.head.say.parameters():
            parameter.mul_(6)
        grid = torch.from_numpy(grids[:1].astype(np.float32))
        best = model(grid)[0, 0]
        scores = {}
        for first in (4, 5, END):
            for second in (4, 5, END) if first != END else (END,):
                words = torch.tensor([[1, first, second]])
                logits = model.head.teach(grid, words)[0]
                logits[:, [0, 1, 3]] = -1e4
                logs = logits.log_softmax(dim=1)
                total = float(logs[0, first]) + (float(logs[1, second]) if first != END else 0)
                length = 1 if first == END else 2
                scores[first, second] = total / length**0.7
    top = max(scores, key=scores.get)
    assert tuple(best[1:].int().tolist()) == top


def test_retrieval_repeats_the_sentence_of_the_picture_itself(material, tmp_path):
    backbone, preprocess, paths, texts, grids = material
    vocabulary = Vocabulary.of([t for each in texts for t in each], least=1)
    known = CaptionExamples(grids, texts, [p.name for p in paths], vocabulary, length_of(texts))
    model = Captioning(backbone, grids.shape[2], len(vocabulary.words), known.length)
    nearest = make_retrieval(model, known, vocabulary, known.length)
    assert sentences_of(nearest, grids, vocabulary) == [each[0] for each in texts]
    info = ModelInfo(vocabulary.words, preprocess, task="caption")
    assert export(nearest, tmp_path / "model.onnx", info, paths[:2]).passed


def test_what_it_looked_at_is_drawn_for_each_word(material, tmp_path):
    from PIL import Image

    from darter.job.attention import SIDE, attention_maps, draw_attention

    backbone, preprocess, _, texts, grids = material
    vocabulary = Vocabulary.of([t for each in texts for t in each], least=1)
    model = Captioning(backbone, grids.shape[2], len(vocabulary.words), 8).eval()
    grid = torch.from_numpy(grids[:2].astype(np.float32))
    numbers = torch.from_numpy(np.stack([vocabulary.numbers(texts[0][0], 8)] * 2))
    weights = model.head.looks(grid, numbers)
    assert torch.allclose(weights.sum(dim=2), torch.ones(weights.shape[:2]))
    maps = attention_maps(model, grids[0], numbers[0].numpy())
    assert maps.shape[0] == weights.shape[1] and maps.max() == 1
    shown = weights[0, 0] / weights[0, 0].max()
    assert np.allclose(maps[0].ravel(), shown.detach(), atol=1e-3)
    pixels = np.zeros((50, 100, 3), np.uint8)
    sentence = "there is a disc"
    draw_attention(model, vocabulary, grids[0], sentence, pixels, preprocess, tmp_path / "a.jpg")
    width, height = Image.open(tmp_path / "a.jpg").size
    assert width == 4 * (SIDE + 4) - 4 and height > SIDE / 2
