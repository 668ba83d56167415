import pytest


@pytest.fixture(autouse=True, scope="session")
def own_tuning_cache(tmp_path_factory):
    """No test reads or writes the user's remembered timings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARTER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
