"""Records of a run that are damaged."""

import pytest

from darter.errors import DataError
from darter.report import write_html
from darter.report.records import read_records


def test_a_damaged_record_is_named(run):
    folder = run("two")
    (folder / "race.json").write_text('{"candidates": [')
    with pytest.raises(DataError, match=r"race\.json"):
        write_html(folder)
    assert not (folder / "report.html").exists()


def test_half_a_last_line_of_metrics_is_not_an_epoch(run):
    folder = run("two")
    assert len(read_records(folder).epochs) == 14
    (folder / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl, line 1"):
        read_records(folder)
