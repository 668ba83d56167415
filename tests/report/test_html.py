import csv
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darter.errors import DataError, MissingExtraError
from darter.files import read_json, write_json
from darter.report import html, sections, write_html
from darter.report.records import read_records
from darter.report.words import interval, percent
from tests.report.sample_figures import AWKWARD, NAMES
from tests.report.sample_run import make_run

RECORDS = ("audit.json", "split.json", "race.json", "recipe.toml", "metrics.jsonl", "model.onnx",
           "evaluation.json", "parity.json", "speed.json", "explain.json")  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, and the text that a reader sees."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self._pieces: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = re.sub(r"\s+", " ", "".join(self._pieces))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self._pieces.append(data)

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_of_run_becomes_a_page(run, kind):
    folder = run(kind)
    assert write_html(folder) == folder / "report.html"
    page = Page(folder / "report.html")
    assert len(page.all("h1")) == 1
    assert [s["id"] for s in page.all("section")] == [
        key for key, *_ in html.CLASSIFY if key not in ("arranged", "precisions")
    ]
    targets = {a["id"] for _, a in page.tags if "id" in a}
    links = {a["href"] for a in page.all("a") if "download" not in a}
    assert {link[1:] for link in links} <= targets


def test_the_first_sentence_is_the_result(run):
    folder = run()
    evaluation = json.loads((folder / "evaluation.json").read_text())
    matrix = evaluation["confusion"]["matrix"]
    right = sum(row[i] for i, row in enumerate(matrix))
    write_html(folder)
    text = Page(folder / "report.html").text
    assert (
        f"On {evaluation['n']} pictures it had never seen, this model is right for {right}: "
        f"{percent(evaluation['accuracy'])} ({interval(evaluation['interval'])})"
    ) in text


def test_the_headline_never_says_unseen_of_what_was_nearly_seen(run):
    folder = run("ordinary")
    records = read_json(folder / "run.json")
    caution = "7 of the 153 test pictures are nearly the same as pictures that were learned from"
    records["leaks"] = {"copies": 2, "alike": 7, "caution": caution}
    records["verdict"] = f"{caution}. Training beat it. 2 pictures were left out."
    write_json(folder / "run.json", records)
    audit = read_json(folder / "audit.json")
    audit["findings"].append(
        {"path": "a", "kind": "near leak", "action": "noted", "detail": "nearly the same as b"}
    )
    write_json(folder / "audit.json", audit)
    write_html(folder)
    text = Page(folder / "report.html").text
    assert "it had never seen" not in text and "it had not learned from" in text
    assert text.count(caution) == 1
    assert "Copies stay on one side" in text  # of exact copies
    assert "1 picture of your own validation and test parts is nearly the same" in text


def test_the_headline_says_where_the_commonest_class_would_do_as_well(run):
    folder = run("lopsided")
    write_html(folder)
    text = Page(folder / "report.html").text
    headline = text[text.index("On 153 pictures") : text.index("The range in brackets")]
    assert "No clear success: always naming the commonest class (good)" in headline
    assert headline.count("No clear success") == 1
    assert "would be right for 90.2%. With every class counted alike" in text
    assert "always saying good" in text


def test_a_kind_of_task_that_cannot_be_told_marks_no_cell(run):
    folder = run()
    race = json.loads((folder / "race.json").read_text())
    race["cell"] |= {"similarity": "unknown", "last_layer_share": None, "inner_layer_gap": None,
                     "reasons": ["few pictures", "Cannot tell: one measured"]}  # fmt: skip
    (folder / "race.json").write_text(json.dumps(race))
    write_html(folder)
    page = Page(folder / "report.html")
    assert "Cannot tell: one measured." in page.text
    assert "your pictures" not in [a.get("class") for a in page.all("td")]
    assert "pin" not in [a.get("class") for a in page.all("span")]


def test_validation_mistakes_are_named_as_such(run):
    folder = run()
    explain = json.loads((folder / "explain.json").read_text())
    assert "Mistakes on the validation pictures" not in Page(write_html(folder)).text
    explain["validation"] = {"mistakes": explain["mistakes"][:2], "wrong": 5, "n": 60}
    (folder / "explain.json").write_text(json.dumps(explain))
    text = Page(write_html(folder)).text
    assert "2 worst mistakes of 5 among the 60 validation pictures" in text
    assert "count for no figure on this page" in text


def test_all_parts_of_the_records_are_shown(run):
    folder = run()
    write_html(folder)
    text = Page(folder / "report.html").text
    race = json.loads((folder / "race.json").read_text())
    for candidate in race["candidates"]:
        assert candidate["title"] in text
        assert percent(candidate["accuracy"]) in text
        assert candidate["why"][1:] in text
    for reason in race["cell"]["reasons"]:
        assert reason[1:] in text
    assert race["advice"] in text
    audit = json.loads((folder / "audit.json").read_text())
    assert all(f["path"] in text and f["detail"] in text for f in audit["findings"])
    for row in json.loads((folder / "evaluation.json").read_text())["per_class"]:
        assert percent(row["f1"]) in text
    assert "The last doubling" not in text, "sentences come from the records"
    assert "5.62 ms" in text
    assert 'optimizer = "adamw"' in text


def test_hard_classes_come_first(run):
    folder = run()
    found = sections.classes(read_records(folder))["rows"]
    assert [r["f1"] for r in found] == sorted(r["f1"] for r in found)


def test_the_page_is_self_contained(run):
    folder = run()
    write_html(folder)
    page = Page(folder / "report.html")
    assert not page.all("link")
    assert [a for a in page.all("script") if "src" in a] == []
    pictures = [a["src"] for a in page.all("img")]
    assert len(pictures) > 8
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert all(a["alt"] for a in page.all("img"))
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "url(" not in text


def test_names_of_users_are_escaped(run):
    folder = run("awkward")
    write_html(folder)
    page = Page(folder / "report.html")
    assert len(page.all("script")) == 1
    assert not page.all("u")
    assert not page.all("i")
    for name in AWKWARD:
        assert name in page.text
    assert "49" not in re.findall(r"\[red\]markup\[/red\] (\S+)", page.text)


def test_what_was_tried_with_the_time_left_is_shown(run):
    folder = run("probe")
    write_html(folder)
    text = Page(folder / "report.html").text
    assert "88.3% of 77 pictures; the other is not clearly better." in text
    assert "kept" in text and "not kept" in text


def test_pictures_that_chose_are_told_from_those_of_the_result(run):
    folder = run()
    race = read_json(folder / "race.json")
    for candidate in race["candidates"]:
        candidate["pictures"] = 279 if candidate["strategy"].startswith("linear") else 56
    write_json(folder / "race.json", race)
    text = Page(write_html(folder)).text
    assert "Judged on (of training)" in text
    assert "A linear classifier is so quick that each of 279 had its turn" in text
    assert "The 153 test pictures behind the result at the top had no part in it" in text
    for candidate in race["candidates"]:
        candidate["pictures"] = 56
    write_json(folder / "race.json", race)
    assert "had its turn" not in Page(write_html(folder)).text


def test_means_over_classes_stand_at_the_top_only_where_they_say_something_else(run):
    folder = run()
    record = read_json(folder / "run.json")
    for balanced, shown in ((record["result"]["accuracy"], False), (0.8, True)):
        record["result"] |= {"balanced_accuracy": balanced, "macro_f1": balanced}
        write_json(folder / "run.json", record)
        text = Page(write_html(folder)).text
        assert ("counted alike" in text[: text.index("How to use the model")]) is shown
        assert "(balanced accuracy)" in text[text.index("Hardest class first") :]


def test_the_result_is_said_once_and_its_range_again_in_the_limits(run):
    folder = run()
    found = json.loads((folder / "run.json").read_text())["result"]
    page = Page(write_html(folder)).text
    text = page[: page.index("How to use the model")]
    assert text.count(f"{percent(found['accuracy'])} ({interval(found['interval'])})") == 1
    limits = page[page.index("What these figures do not say") :]
    assert percent(found["accuracy"]) not in limits and interval(found["interval"]) in limits


def test_times_before_a_wish_stand_beside_those_of_the_model(run):
    folder = run()
    speed = read_json(folder / "speed.json")
    speed["milliseconds_before"] = {"batch_1": {"min": 8.1, "median": 9.13, "max": 11.0}}
    write_json(folder / "speed.json", speed)
    text = Page(write_html(folder)).text
    assert "slowest 7.9; as it was trained: median 9.13, fastest 8.1, timed in turns" in text


def test_why_nothing_was_tried_with_the_time_left_is_said(run):
    folder = run("probe")
    (folder / "challenge.json").unlink()
    record = json.loads((folder / "run.json").read_text())
    why = "the linear classifier errs on 1 of 77 validation pictures"
    (folder / "run.json").write_text(json.dumps(record | {"unchallenged": why}))
    assert f"but not here: {why}." in Page(write_html(folder)).text


def test_a_strategy_has_one_accuracy_whatever_rates_were_tried(run):
    folder = run()
    race = json.loads((folder / "race.json").read_text())
    first = race["candidates"][2]
    assert first["status"] == "winner"
    for rate, status, accuracy in ((1e-4, "eliminated", 0.81), (1.2e-3, "not tried", None)):
        race["candidates"].append(
            first | {"learning_rate": rate, "status": status, "accuracy": accuracy, "why": "x"}
        )
    (folder / "race.json").write_text(json.dumps(race))
    rows = sections.race(read_records(folder))["rows"]
    titles = [row["title"] for row in rows]
    assert titles.count(first["title"]) == 1 == len([t for t in titles if first["title"] in t])
    assert next(row for row in rows if row["title"] == first["title"])["accuracy"] == 0.924
    text = Page(write_html(folder)).text
    assert "(the best of 2 learning rates)" in text and "not tried" not in text


def test_rates_that_were_dropped_make_no_second_row_of_the_untried(run):
    folder = run()
    race = json.loads((folder / "race.json").read_text())
    last = race["candidates"][-1] | {"status": "not tried", "accuracy": None, "rungs": []}
    only = "no time; only the middle learning rate was kept"
    race["candidates"][-1:] = [last | {"learning_rate": 1e-4, "why": only},
                               last | {"learning_rate": 4e-4, "why": "no time"}]  # fmt: skip
    (folder / "race.json").write_text(json.dumps(race))
    rows = [r for r in sections.race(read_records(folder))["rows"] if r["status"] == "not tried"]
    assert [(row["title"], row["why"]) for row in rows] == [(last["title"], "no time")]


@pytest.mark.parametrize("kind", ["ordinary", "awkward"])
def test_the_numbers_of_the_curves_are_files_inside_the_page(run, kind):
    folder = run(kind)
    files = {a["download"]: a["href"] for a in Page(write_html(folder)).all("a") if "download" in a}
    assert set(files) == {"accuracy-by-threshold.csv", "precision-recall.csv"}
    start = "data:text/csv;charset=utf-8,"
    assert all(href.startswith(start) for href in files.values())
    tables = {name: list(csv.DictReader(io.StringIO(unquote(href.removeprefix(start)))))
              for name, href in files.items()}  # fmt: skip
    curves = json.loads((folder / "evaluation.json").read_text())["curves"]
    rows = tables["accuracy-by-threshold.csv"]
    assert [float(row["answered"]) for row in rows] == pytest.approx(
        [point["answered"] for point in curves["threshold"]], rel=1e-5
    )
    rows = tables["precision-recall.csv"]
    assert {row["label"] for row in rows} == {
        curve["label"] for curve in curves["precision_recall"]
    }
    assert len(rows) == sum(len(curve["points"]) for curve in curves["precision_recall"])


def test_strategies_not_tried_for_one_reason_share_a_row(run):
    folder = run()
    race = json.loads((folder / "race.json").read_text())
    for candidate in race["candidates"][2:]:
        candidate |= {"status": "not tried", "accuracy": None, "rungs": [], "why": "no time"}
    (folder / "race.json").write_text(json.dumps(race))
    write_html(folder)
    text = Page(folder / "report.html").text
    assert text.count("No time.") == 1
    assert "retrain the last blocks; retrain the first blocks (surgical)" in text
    assert "No other way to train was raced" in text


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(gone=st.sets(st.sampled_from(RECORDS), min_size=1), state=st.sampled_from(["done", "race"]))
def test_any_record_may_be_missing(tmp_path_factory, gone, state):
    folder = make_run(tmp_path_factory.mktemp("run"), "two")
    for name in gone:
        (folder / name).unlink()
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"state": state}))
    write_html(folder)
    page = Page(folder / "report.html")
    shown = [a.get("class") for a in page.all("p")].count("missing")
    assert shown >= len(gone - {"split.json", "recipe.toml", "parity.json"})


def test_a_run_that_only_began_says_how_to_go_on(run):
    folder = run("bare")
    write_html(folder)
    text = Page(folder / "report.html").text
    assert "This run has no measured result yet." in text
    assert f"darter train --resume {folder}" in text


def test_a_probe_has_no_curves_and_says_why(run):
    folder = run("probe")
    write_html(folder)
    text = Page(folder / "report.html").text
    assert "there are no training curves to show" in text
    assert "right for all 18: 100%" in text
    assert "pictures held out of its training" in text
    assert "Not one of the 18 test pictures was answered wrongly" in text


def test_commands_quote_the_path(run, tmp_path, monkeypatch):
    folder = run("two")
    moved = tmp_path / "it's a run"
    folder.rename(moved)
    monkeypatch.chdir(tmp_path)
    write_html(Path("it's a run"))
    text = Page(moved / "report.html").text
    assert "darter predict 'it'\"'\"'s a run/model.onnx' photo.jpg" in text
    assert 'darter.load("it\'s a run/model.onnx")' in text


def test_pictures_outside_of_the_run_stay_outside(run, tmp_path):
    folder = run("two")
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8\xff secret")
    assert html.picture_uri(folder, "../secret.jpg") is None
    assert html.picture_uri(folder, str(secret)) is None
    assert html.picture_uri(folder, "run.json") is None
    assert html.picture_uri(folder, None) is None
    assert html.picture_uri(folder, "pictures/samples-000.jpg").startswith("data:image/jpeg")


def test_writing_again_gives_the_same_page(run):
    folder = run()
    first = write_html(folder).read_bytes()
    assert write_html(folder).read_bytes() == first


def test_a_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"holds no run of darter.*no run\.json"):
        write_html(tmp_path)


def test_without_jinja_the_error_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    html._environment.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install .*train"):
        write_html(run("two"))
