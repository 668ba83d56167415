import pytest

from tests.report.sample_run import make_run


@pytest.fixture
def run(tmp_path):
    """`run("awkward")` makes the folder of such a run."""
    return lambda kind="ordinary": make_run(tmp_path / kind, kind)
