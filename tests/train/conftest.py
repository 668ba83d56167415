import pytest

from tests.train.tiny import tiny_model, tiny_problem


@pytest.fixture
def model():
    return tiny_model()


@pytest.fixture(scope="session")
def problem():
    return tiny_problem()
