"""Lists as spreadsheets and people write them: every dialect gives the same samples."""

import codecs
import csv
import io
import os
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.dataset import find_samples
from darter.dataset.csv_labels import not_classes
from darter.dataset.csv_text import read_rows
from darter.errors import DataError

cells = st.text(st.sampled_from("ab é;,|\t\"'=#"), max_size=8).map(str.strip)
MARKS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@settings(deadline=None, max_examples=300)
@given(
    rows=st.lists(st.tuples(cells.filter(bool), cells, cells), min_size=1, max_size=6),
    odd=cells,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(sorted(MARKS)),
    named=st.booleans(),
)
def test_every_dialect_is_read_as_it_was_written(
    tmp_path_factory, rows, odd, delimiter, quoting, end, encoding, named
):
    file = tmp_path_factory.mktemp("csv") / "list.csv"
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("path", "label", odd), *rows])
    text = (f"sep={delimiter}{end}" if named else "") + written.getvalue()
    file.write_bytes(MARKS[encoding] + text.encode(encoding))
    found = read_rows(file, lambda header: {"path", "label"} <= set(header))
    assert [tuple(row) for _, row in found] == [("path", "label", odd), *rows]
    assert [line for line, _ in found] == [k + 1 + named for k in range(len(rows) + 1)]


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"picture")
    return root


def listed(root, text):
    (root / "list.csv").write_text(text, newline="")
    return [
        (s.path.relative_to(root).as_posix(), s.label)
        for s in find_samples(root / "list.csv").samples
    ]


def test_commas_inside_a_quoted_header_are_no_delimiters(tmp_path):
    make(tmp_path, "1.jpg", "2.jpg")
    text = '"path";"label";"notes, remarks, more, commas"\n"1.jpg";"a";"x"\n"2.jpg";"b";"x"\n'
    assert listed(tmp_path, text) == [("1.jpg", "a"), ("2.jpg", "b")]


def test_line_numbers_count_the_lines_of_the_file(tmp_path):
    make(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(DataError, match=r"list\.csv, line 5: the label is empty"):
        listed(tmp_path, 'sep=;\r\npath;label\r\n\r\n1.jpg;"a"\r\n2.jpg;\r\n')


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_list", ["NFC", "NFD"])
def test_names_and_labels_have_one_form(tmp_path, on_disk, in_list):
    folder, name = (unicodedata.normalize(on_disk, text) for text in ("thé", "Ämse.jpg"))
    make(tmp_path, f"{folder}/{name}", "b.jpg", "c.jpg")
    other = unicodedata.normalize(in_list, "thé/Ämse.jpg,Käse\nb.jpg,")
    found = listed(tmp_path, f"path,label\n{other}Ka\u0308se\nc.jpg,x\n")
    assert sorted(label for _, label in found) == ["K\u00e4se", "K\u00e4se", "x"]
    assert all((tmp_path / path).exists() for path, _ in found)


def test_a_file_that_is_there_as_written_is_meant(tmp_path):
    both = [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")]
    make(tmp_path, *both, "'=1.jpg", "=1.jpg", "a\\b.jpg", "a/b.jpg")
    text = "path,label\n" + "".join(f"{name},x\n" for name in (*both, "'=1.jpg", "=1.jpg"))
    found = listed(tmp_path, text + "a\\b.jpg,y\na/b.jpg,y\n")
    assert {path for path, _ in found} == {*both, "'=1.jpg", "=1.jpg", "a\\b.jpg", "a/b.jpg"}


def test_names_that_are_no_text_are_found_as_darter_spells_them(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    make(tmp_path, name, "1.jpg")
    found = listed(tmp_path, "path,label\ncaf\\udce9.jpg,a\n1.jpg,b\n")
    assert {path for path, _ in found} == {name, "1.jpg"}


def test_a_list_may_hold_anything_without_a_traceback(tmp_path):
    make(tmp_path, "1.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for text in (
        '"path,label\n1.jpg,a',
        "\0",
        'sep="\npath\n',
        "sep=\r\n",
        '"a"b\n',
        "path,label\na\0b,x",
    ):
        with pytest.raises(DataError):
            listed(tmp_path, text)
    (tmp_path / "list.csv").write_bytes(codecs.BOM_UTF16_LE + b"p")
    with pytest.raises(DataError, match="is not UTF-16 text"):
        find_samples(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\n1.jpg,cat;dog\n2.jpg,dog\n3.jpg,bird|cat\n4.jpg,bird\n", "several labels in"),
        (
            "path,cat,dog\n1.jpg,1,0\n2.jpg,1,1\n",
            r"a column of 0 and 1 for each class \(cat, dog\)",
        ),
        ("path,label\n1.jpg,cat\n1.jpg,dog\n", r"as cat and as dog.*labels, as cat\|dog"),
        (
            "path,label\n" + "".join(f"{k}.jpg,{k + 0.5}\n" for k in range(9)),
            r"numbers that hardly repeat \(9 different ones in 9 lines, e\.g\. 0\.5\)",
        ),
    ],
)
def test_labels_that_are_no_classes_are_named(tmp_path, text, words):
    make(tmp_path, *(f"{k}.jpg" for k in range(9)))
    with pytest.raises(DataError, match=words):
        listed(tmp_path, text)


@pytest.mark.parametrize(
    "labels",
    [
        [str(k % 10) for k in range(100)],  # digits
        ["0.5", "1.5"] * 10,  # few numbers are names
        ["Salt, pepper", "Bread", "Wine"] * 4,  # a comma in a name
        ["ant", "bee"],
    ],
)
def test_ordinary_classes_are_classes(labels):
    assert not_classes(labels) is None
