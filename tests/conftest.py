"""Before any test imports PyTorch or numpy: threads shall not spin on cores that tests share."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# How long an example takes depends on who else uses the machine; times pass or fail no test.
settings.register_profile("darter", deadline=None)
settings.load_profile("darter")

SLOW_SECONDS = 7200


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
