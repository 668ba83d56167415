import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.report import charts, svg

SVG = "{http://www.w3.org/2000/svg}"
shares = st.floats(0, 1)
names = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn", "Co")), min_size=1)
WIDTHS = [760, 334]


def parsed(drawing: str) -> ElementTree.Element:
    """The drawing as XML, with every number in it finite and inside."""
    root = ElementTree.fromstring(drawing)
    strange = re.compile(r"\bnan\b|\binf\b")
    assert not any(strange.search(value) for item in root.iter() for value in item.attrib.values())
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for item in root.iter():
        for key, end in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            if key in item.attrib:
                assert -1 <= float(item.attrib[key]) <= end + 1, item.attrib
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return [item.text or "" for item in root.iter(f"{SVG}text")]


@st.composite
def rows(draw):
    low, value, high = sorted(draw(st.tuples(shares, shares, shares)))
    mark = draw(st.sampled_from(["best", "plain", "out"]))
    return {"title": draw(names), "accuracy": value, "interval": [low, high], "mark": mark}


@pytest.mark.parametrize("width", WIDTHS)
@given(data=st.lists(rows(), min_size=1, max_size=8))
def test_whiskers_stay_inside_for_any_names_and_figures(width, data):
    parsed(charts.whiskers(data, width, "race"))


def test_a_whisker_spans_its_interval_and_its_dot_lies_between():
    data = [{"title": "a", "accuracy": 0.9, "interval": [0.8, 0.95], "mark": "best"}]
    root = parsed(charts.whiskers(data, 760, "race"))
    span, *_ = [e for e in root.iter(f"{SVG}line") if e.get("class") == "whisker best"]
    (dot,) = root.iter(f"{SVG}circle")
    low, high, at = float(span.get("x1")), float(span.get("x2")), float(dot.get("cx"))
    assert (at - low) / (high - low) == pytest.approx((0.9 - 0.8) / (0.95 - 0.8), abs=1e-3)
    assert "90.0%" in texts(root)


def test_a_loser_by_far_is_an_arrow_and_leaves_room_for_the_others():
    data = [
        {"title": "a", "accuracy": 0.95, "interval": [0.93, 0.97], "mark": "best"},
        {"title": "b", "accuracy": 0.20, "interval": [0.1, 0.3], "mark": "out"},
    ]
    root = parsed(charts.whiskers(data, 760, "race"))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    assert "20.0%" in texts(root)
    ticks = [float(t[:-1]) for t in texts(root) if re.fullmatch(r"\d+%", t)]
    assert min(ticks) >= 90


def test_titles_are_escaped():
    data = [{"title": "<script>&\"'", "accuracy": 0.5, "interval": None, "mark": "plain"}]
    drawing = charts.whiskers(data, 760, 'about "this" & <that>')
    assert "<script>" not in drawing
    assert parsed(drawing).attrib["aria-label"] == 'about "this" & <that>'


@pytest.mark.parametrize("width", WIDTHS)
@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), shares, st.none() | st.floats(0, 0.3)),
        min_size=2, max_size=6, unique_by=lambda p: p[0],
    )
)  # fmt: skip
def test_learning_curve_stays_inside(width, points):
    keys = ("pictures", "accuracy", "standard_error")
    parsed(charts.learning_curve([dict(zip(keys, p, strict=True)) for p in points], width))


@pytest.mark.parametrize("share", [True, False])
@given(st.lists(shares, min_size=1, max_size=40), st.lists(shares, min_size=1, max_size=40))
def test_curves_stay_inside_and_their_names_apart(share, train, val):
    series = [
        ("training", "plain", list(enumerate(train))),
        ("held out", "best", list(enumerate(val))),
    ]
    root = parsed(charts.curves(series, 400, about="loss", share=share))
    ends = [float(e.get("y")) for e in root.iter(f"{SVG}text") if "name" in e.get("class", "")]
    assert abs(ends[0] - ends[1]) >= 15


@pytest.mark.parametrize("width", WIDTHS)
def test_reliability_draws_one_dot_per_bin_that_holds_pictures(width):
    bins = [
        {"low": 0.0, "high": 0.5, "confidence": None, "accuracy": None, "count": 0},
        {"low": 0.5, "high": 1.0, "confidence": 0.8, "accuracy": 0.8, "count": 7},
    ]
    root = parsed(charts.reliability(bins, width))
    (dot,) = root.iter(f"{SVG}circle")
    (diagonal,) = [e for e in root.iter(f"{SVG}line") if e.get("class") == "diagonal"]
    x1, y1, x2, y2 = (float(diagonal.get(k)) for k in ("x1", "y1", "x2", "y2"))
    on_line = y1 + (float(dot.get("cx")) - x1) / (x2 - x1) * (y2 - y1)
    assert float(dot.get("cy")) == pytest.approx(on_line, abs=0.02)


@pytest.mark.parametrize("n", [2, 16, 40, 60, 200])
@pytest.mark.parametrize("width", WIDTHS)
def test_confusion_draws_only_what_happened(n, width):
    matrix = [[3 * (i == j) + (j == i + 1) for j in range(n)] for i in range(n)]
    root = parsed(charts.confusion([f"class {k}" for k in range(n)], matrix, width))
    kinds = [e.get("class") for e in root.iter(f"{SVG}rect")]
    assert kinds.count("right") == n
    assert kinds.count("wrong") == n - 1
    named = [words for words in texts(root) if words.startswith("class")]
    assert named.count("class 0") == 2, "beside its row and above its column"
    assert len(set(named)) == n or n > (60 if width == 760 else 20), "there was room for all"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_round_few_and_within(low, span, about):
    marks = svg.ticks(low, low + span, about)
    assert len(marks) <= 2.6 * about + 1
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= mark <= low + span + slack for mark in marks)


@given(st.lists(st.floats(10, 90), min_size=1, max_size=5))
def test_spread_keeps_labels_apart_and_in_order(wanted):
    placed = svg.spread(wanted, 16, 0, 100)
    pairs = sorted(zip(placed, wanted, strict=True))
    assert all(b - a >= 16 - 1e-9 for (a, _), (b, _) in pairwise(pairs))
    assert [w for _, w in pairs] == sorted(wanted)


@pytest.mark.parametrize("width", WIDTHS)
@given(
    st.lists(st.tuples(shares, st.floats(-0.2, 0.2), st.floats(0.01, 1e4), names), max_size=6),
    shares,
)
def test_cost_has_a_dot_for_every_way(width, ways, plain):
    rows = [
        {"name": "one look", "score": plain, "interval": None, "milliseconds": 5.0, "kept": True}
    ]
    rows += [
        {"name": n, "score": s, "interval": [g - 0.01, g + 0.01], "milliseconds": ms, "kept": False}
        for s, g, ms, n in ways
    ]
    root = parsed(charts.cost(rows, width))
    assert len(list(root.iter(f"{SVG}circle"))) == len(rows)


@given(
    st.lists(st.tuples(st.floats(60, 300), st.floats(30, 200), names), min_size=1, max_size=6),
)
def test_labels_lie_beside_their_dots_and_off_each_other_where_there_is_room(dots):
    area = 50.0, 0.0, 400.0, 240.0
    places = svg.labels([(x, y) for x, y, _ in dots], [name for *_, name in dots], 11, area)
    for (x, y, _), (at, base, anchor) in zip(dots, places, strict=True):
        assert at == (x + 10 if anchor == "start" else x - 10) and abs(base - y) < 70


def test_labels_avoid_dots_names_and_lines():
    dots, names = (
        [(100.0, 100.0), (120.0, 100.0), (320.0, 100.0)],
        ["one look", "flip", "views:10x5"],
    )
    line = (50.0, 99.0, 400.0, 101.0)
    boxes = []
    for (at, base, anchor), name in zip(
        svg.labels(dots, names, 11, (50.0, 0.0, 400.0, 240.0), [line]), names, strict=True
    ):
        wide = len(name) * 11 * svg.GLYPH
        left = at if anchor == "start" else at - wide
        boxes.append((left, base - 11, left + wide, base + 3))
        assert base - 11 > 101 or base + 2 < 99, "off the line"
    for one, other in pairwise(boxes):
        assert one[2] <= other[0] or other[2] <= one[0] or abs(one[1] - other[1]) >= 13
