import json
from dataclasses import asdict

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import darter
from darter.errors import ModelFileError, OptionError
from darter.model import Calibration, ModelInfo, read_info, write_info
from darter.model.info import info_from_metadata
from darter.picture import Preprocess
from tests.tiny_models import COLORS, PLAIN, color_model, darter_model, save

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
infos = st.builds(
    ModelInfo,
    classes=st.lists(st.text(min_size=1, max_size=9), min_size=1, unique=True).map(tuple),
    preprocess=st.builds(Preprocess, size=st.integers(1, 600)),
    calibration=st.builds(Calibration, st.floats(0.01, 100), st.floats(0, 1)),
    card=st.dictionaries(st.text(max_size=5), json_values, max_size=4),
)


@given(infos)
def test_what_is_written_is_read_back(tmp_path_factory, info):
    path = save(color_model(), tmp_path_factory.mktemp("info") / "model.onnx", info)
    assert read_info(path) == info


def test_writing_into_a_file_keeps_everything_else(tmp_path):
    model = color_model()
    model.metadata_props.add(key="author", value="someone")
    path = save(model, tmp_path / "model.onnx", ModelInfo(COLORS, PLAIN))
    write_info(path, ModelInfo(("a", "b", "c"), PLAIN, card={"seed": 1}))
    write_info(path, ModelInfo(("x", "y", "z"), PLAIN, card={"seed": 2}))
    assert read_info(path).classes == ("x", "y", "z")
    after = onnx.load(path)
    assert after.graph == model.graph
    assert [p.key for p in after.metadata_props] == [
        "author", "darter.task", "darter.classes", "darter.preprocess", "darter.calibration",
        "darter.card",
    ]  # fmt: skip
    assert [f.name for f in tmp_path.iterdir()] == ["model.onnx"]


def test_calibration_and_card_may_be_absent(tmp_path):
    model = color_model()
    model.metadata_props.add(key="darter.classes", value=json.dumps(COLORS))
    model.metadata_props.add(key="darter.preprocess", value=json.dumps(PLAIN.to_dict()))
    info = read_info(save(model, tmp_path / "model.onnx"))
    assert info == ModelInfo(COLORS, PLAIN, Calibration(1.0, 0.0), {})


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("classes", None, "metadata darter.classes is missing"),
        ("preprocess", None, "metadata darter.preprocess is missing"),
        ("classes", '["red", ', "darter.classes is no JSON"),
        ("classes", '{"red": 1}', "darter.classes must be a list"),
        ("classes", '["red", "red", "blue"]', "names must differ; more than once: red"),
        ("classes", '["red", "", "blue"]', "must be a list of names"),
        ("classes", '["red", "\\ud800", "blue"]', "must be a list of names"),
        ("classes", "[]", "must be a list of names"),
        ("preprocess", '{"size": "big"}', "darter.* is damaged"),
        ("preprocess", '{"colour": 3}', "colour"),
        ("calibration", '{"temperature": 0}', r"temperature must be a number in \[0\.001"),
        ("calibration", '{"temperature": "hot"}', "darter.* is damaged"),
        ("calibration", '{"unknown_below": 3}', r"must be a number in \[0, 1\]"),
        ("calibration", '{"warmth": 3}', "warmth"),
        ("card", "[]", "darter.card must be a dict"),
        ("card", "[" * 100_000, "darter.card"),
    ],
)
def test_damaged_metadata_is_named(tmp_path, key, text, message):
    path = darter_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    kept = [p for p in model.metadata_props if p.key != f"darter.{key}"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    if text is not None:
        model.metadata_props.add(key=f"darter.{key}", value=text)
    with pytest.raises(ModelFileError, match=message) as error:
        read_info(save(model, path))
    assert str(path) in str(error.value)


def test_model_of_someone_else_says_so(tmp_path):
    path = save(color_model(), tmp_path / "model.onnx")
    with pytest.raises(ModelFileError, match="has no darter"):
        read_info(path)


def test_calibration_checks_its_numbers():
    with pytest.raises(OptionError, match="temperature"):
        Calibration(temperature=float("nan"))


# What a JSON value may be, sensible or not.
ODD = (
    "0", "-1", "1", "1.5", "1e308", "1e-320", "9" * 400, "-" + "9" * 400, "9" * 4000, "9" * 5000,
    "NaN", "Infinity", "-Infinity", "null", "true", '"x"', '"' + "a" * 5000 + '"', '"\\u0000"',
    "[]", "{}", "[1]", "[1, 2]", "[1, 2, 3]", "[" * 900 + "]" * 900, "[null, null, null]",
    "[true, 1, 1]", "[NaN, NaN, NaN]", "[" + "9" * 400 + ", 1, 1]", '{"a": 1}', "16384",
    '["a", "a"]', '[["a"]]',
    "[" + "1," * 9999 + "1]", "", "[", "nonsense",
)  # fmt: skip
PLACES = [
    *(("darter." + key, None) for key in ("classes", "preprocess", "calibration", "card", "task")),
    *(("darter.preprocess", name) for name in (*Preprocess.__dataclass_fields__, "odd")),
    *(("darter.calibration", name) for name in (*Calibration.__dataclass_fields__, "odd")),
]


@pytest.mark.parametrize(("key", "field"), PLACES)
@pytest.mark.parametrize("value", ODD, ids=[value[:12] for value in ODD])
def test_any_metadata_is_read_or_refused_in_a_short_sentence(key, field, value):
    entries = {"darter.classes": '["a", "b", "c"]', "darter.preprocess": '{"size": 8}'}
    rest = ', "size": 8' if key == "darter.preprocess" and field != "size" else ""
    entries[key] = value if field is None else f'{{"{field}": {value}{rest}}}'
    try:
        info = info_from_metadata(entries, "m.onnx")
    except ModelFileError as error:
        assert str(error).startswith("m.onnx: metadata darter.") and len(str(error)) < 400
        return
    assert info is not None and 1e-3 <= info.calibration.temperature <= 1e3
    numbers = asdict(info.preprocess) | asdict(info.calibration)
    assert not any(isinstance(each, bool) for each in numbers.values())


def test_a_picture_size_from_metadata_has_a_limit(tmp_path):
    info = ModelInfo(COLORS, Preprocess(size=5000), Calibration())
    path = save(color_model(inputs=("n", 3, "h", "w")), tmp_path / "m.onnx", info)
    with pytest.raises(ModelFileError, match=r"5000.*above darter's limit of 4096"):
        darter.load(path)
