import gc
import io
import threading
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import darter
from darter.model import Prediction, predict
from tests.tiny_models import darter_model, picture

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def session(tmp_path):
    return darter.load(darter_model(tmp_path / "model.onnx"))


def encoded(color):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), color).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_kind_of_source_and_every_kind_of_trouble_in_order(session, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a JPEG")
    sources = [
        picture(tmp_path / "a.png", RED),
        str(picture(tmp_path / "b.png", GREEN)),
        tmp_path / "broken.jpg",
        tmp_path / "absent.jpg",
        encoded(BLUE),
        b"no picture",
        np.full((5, 7, 3), GREEN, np.uint8),
        np.zeros((5, 7), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
        ("upload", encoded(RED)),
        tmp_path,
        Image.new("L", (9, 5), 0),
        None,
    ]
    answers = list(session.predict(sources, batch_size=3))
    assert [p.label for p in answers] == [
        "red", "green", None, None, "blue", None, "green", None, None, "red", None,
        "red", None,
    ]  # fmt: skip
    assert [p.source for p in answers[:3]] == [str(s) for s in sources[:3]]
    assert answers[4].source == "picture 5"
    assert answers[9].source == "upload"
    assert answers[3].error == "missing: no such file"
    assert "uint8 (H, W, 3), RGB; got uint8 (5, 7)" in answers[7].error
    assert "an image of Pillow; got NoneType" in answers[12].error
    assert all((p.error is None) == bool(p.top) for p in answers)


def test_prediction_of_one_picture(session):
    (answer,) = session.predict([np.full((4, 4, 3), RED, np.uint8)], top=2)
    p = np.exp(10) / (np.exp(10) + 2)
    assert answer == Prediction(
        source="picture 1",
        label="red",
        confidence=pytest.approx(p, abs=1e-5),
        unknown=False,
        top=(("red", pytest.approx(p, abs=1e-5)), ("green", pytest.approx((1 - p) / 2, abs=1e-5))),
        labels=("red",),
    )


def test_unknown_has_no_label_but_says_what_it_might_be(tmp_path):
    path = darter_model(tmp_path / "model.onnx", temperature=20.0, unknown_below=0.6)
    session = darter.load(path)
    grey = np.full((4, 4, 3), 128, np.uint8)
    (answer,) = session.predict([grey])
    assert (answer.label, answer.unknown, answer.error) == (None, True, None)
    assert answer.confidence == pytest.approx(1 / 3)
    assert len(answer.top) == 3
    (sure,) = session.predict([grey], unknown_below=0.2)
    assert not sure.unknown
    assert sure.label is not None


def test_order_holds_when_decoding_finishes_out_of_order(session, monkeypatch):
    def slow(info, look, name, number):
        time.sleep(0.002 * (number % 3))
        return np.full((1, 3, 8, 8), number, np.float32), ()

    monkeypatch.setattr(predict, "_prepare", slow)
    rows = predict.stream_logits(
        lambda x: x.mean(axis=(2, 3)), session.info, range(50), batch_size=4, threads=4
    )
    assert [scores[0] for _, scores, _ in rows] == list(range(50))


def test_memory_does_not_grow_with_the_number_of_pictures(session):
    def peak(count):
        gc.collect()
        tracemalloc.start()
        picture = np.full((64, 64, 3), RED, np.uint8)
        for _ in session.predict((picture.copy() for _ in range(count)), batch_size=4):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(8)
    assert peak(400) < peak(40) + 360 * 1000  # a picture has 12288 bytes


def test_sources_are_drawn_only_as_far_as_needed(session):
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield np.full((4, 4, 3), BLUE, np.uint8)

    answers = session.predict(endless(), batch_size=2)
    assert next(answers).label == "blue"
    assert len(drawn) <= 6
    before = threading.active_count()
    answers.close()
    assert threading.active_count() < before


def test_an_error_of_the_source_itself_is_not_hidden(session):
    def failing():
        yield np.full((4, 4, 3), BLUE, np.uint8)
        raise PermissionError("no entry")

    with pytest.raises(PermissionError):
        list(session.predict(failing()))


def test_sessions_are_safe_to_share(session):
    picture = np.full((4, 4, 3), BLUE, np.uint8)
    wrong = []

    def work():
        for answer in session.predict([picture] * 40, batch_size=8):
            if answer.label != "blue":
                wrong.append(answer)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_one_path_alone_is_one_picture(session, tmp_path):
    path = picture(tmp_path / "red.png", RED)
    assert [p.label for p in session.predict(path)] == ["red"]
    assert [p.label for p in session(str(path))] == ["red"]
