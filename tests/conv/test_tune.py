import threading

import pytest

from darter.conv import ConvSpec, autotune, choose
from darter.conv.remembered import folder, recall, remember
from darter.errors import OptionError, UnsupportedError
from darter.kernels import using_threads

LAYER = ConvSpec((1, 16, 12, 12), (16, 16, 3, 3), padding=1)
LARGE = ConvSpec((1, 128, 56, 56), (128, 128, 3, 3), padding=1)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARTER_CACHE", str(tmp_path))


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("threads", [1, 2])  # CPU time, wall time
def test_autotune_times_what_is_allowed_and_remembers(cold, threads):
    with using_threads(threads):
        check_timings(autotune(LAYER, only=["direct", "winograd-2"], seconds=0.01, cold=cold))


def check_timings(timings):
    assert {t.algorithm for t in timings} == {"direct", "winograd-2"}
    assert timings[0].middle <= timings[1].middle
    assert all(t.low <= t.middle <= t.high and t.gflops > 0 for t in timings)
    reasons = choose(LAYER).reasons
    assert all("ms timed" in reasons[t.algorithm] for t in timings)


def test_an_algorithm_whose_first_runs_were_disturbed_recovers(monkeypatch):
    def time_once(run):
        disturbed = run.layer.choice.algorithm == "winograd-2" and len(run.times) < 3
        run.times.append(1.0 if disturbed else 0.01)

    monkeypatch.setattr("darter.conv.tune._Run.time_once", time_once)
    timings = autotune(LAYER, only=["direct", "winograd-2"], seconds=0.05, cold=False, keep=False)
    assert [t.middle for t in timings] == [10.0, 10.0]


def test_remembered_times_decide():
    remember(LAYER, {"winograd-4": 1.0, "winograd-4-on-the-fly": 1.5, "direct": 2.0})
    assert choose(LAYER).algorithm == "winograd-4"
    assert choose(LAYER, max_error=3e-7).algorithm == "direct"


def test_what_was_not_timed_still_has_a_chance():
    remember(LARGE, {"direct": 2.0})  # within an error budget that admits nothing else
    chosen = choose(LARGE)
    assert chosen.algorithm.startswith("winograd")
    assert "2.000 ms timed" in chosen.reasons["direct"]


def test_damaged_memory_counts_as_none():
    remember(LAYER, {"im2col": 1.0})
    (file,) = folder().iterdir()
    for content in ("", "[]", '{"milliseconds": [1]}', '{"milliseconds": {"direct": "x"}}'):
        file.write_text(content)
        assert recall(LAYER) == {}


def test_writers_do_not_mix():
    writers = [
        threading.Thread(target=lambda: [remember(LAYER, {"direct": 1.0}) for _ in range(20)])
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert recall(LAYER) == {"direct": 1.0}


def test_nothing_to_time():
    with pytest.raises(UnsupportedError, match="nothing to time"):
        autotune(LAYER, only=["depthwise"])


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"only": "direct"}, "expected a list of names"),
        ({"only": []}, "expected a list of names"),
        ({"seconds": 0}, "seconds: expected a number above 0, got 0"),
        ({"seconds": "1"}, "seconds: expected a number above 0, got '1'"),
    ],
)
def test_requests_that_make_no_sense_are_named(request_, says):
    with pytest.raises(OptionError, match=says):
        autotune(LAYER, **request_)
    with pytest.raises(OptionError, match="no pictures to time"):
        autotune(ConvSpec((0, 16, 12, 12), (16, 16, 3, 3)))


def test_what_cannot_be_kept_is_timed_all_the_same(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DARTER_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="are not kept: cannot write .* names another"):
        timings = autotune(LAYER, only=["direct"], seconds=0.01)
    assert [t.algorithm for t in timings] == ["direct"]


def test_benchmarks_leave_no_trace():
    autotune(LAYER, only=["direct"], seconds=0.01, keep=False)
    assert recall(LAYER) == {}


def test_unknown_algorithm_is_named():
    with pytest.raises(OptionError, match="unknown algorithm 'dirct'; choose from direct"):
        autotune(LAYER, only=["dirct"])
