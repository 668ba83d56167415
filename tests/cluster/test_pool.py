"""Who gets which chunk, on workers that are stood in for."""

import pytest

from darter.cluster import Pool, Workers
from darter.cluster import pool as module


class Standing:
    """Ray, with answers that come when the test says so."""

    class exceptions:
        class RayError(Exception): ...

        class RayTaskError(RayError): ...

    def __init__(self):
        self.given: dict[int, tuple[int, str]] = {}  # answer -> (worker, chunk)
        self.next: list[int] = []  # answers in the order in which they come
        self.cancelled: list[int] = []

    def put(self, value):
        return value

    def wait(self, answers, timeout):
        if timeout == 0:
            return [], answers
        found = next(answer for answer in self.next if answer in answers)
        return [found], []

    def get(self, answer):
        return self.given[answer][1].upper()

    def cancel(self, answer):
        self.cancelled.append(answer)

    def kill(self, hand): ...

    def is_initialized(self):
        return True


class Hand:
    """A worker; its methods are called as Ray's are."""

    def __init__(self, ray, number):
        self.ray, self.number = ray, number

    @property
    def load(self):
        return self

    do = load

    def remote(self, *given):
        if len(given) == 1:  # imports
            return None
        self.ray.given[len(self.ray.given)] = (self.number, given[1])
        return len(self.ray.given) - 1


@pytest.fixture
def ray(monkeypatch):
    ray = Standing()
    monkeypatch.setattr(module, "start_ray", lambda count, address: ray)
    monkeypatch.setattr(module, "machines_of", lambda ray: [("0", "here", "desk")])
    numbers = iter(range(9))
    monkeypatch.setattr(Pool, "_hire", lambda self, node: Hand(ray, next(numbers)))
    return ray


def test_what_waits_goes_to_who_is_free_first(ray):
    pool = Pool(None, Workers(2), in_hand=1)
    pool.give(lambda threads: str.upper)
    asked = [pool.submit(chunk) for chunk in "abcd"]
    assert ray.given == {0: (0, "a"), 1: (1, "b")}
    ray.next = [1, 2, 0, 3]  # the worker of "b" is done with two before the other with "a"
    assert [pool.result(each) for each in asked] == list("ABCD")
    assert ray.given == {0: (0, "a"), 1: (1, "b"), 2: (1, "c"), 3: (1, "d")}


def test_a_worker_may_have_the_next_one_in_hand(ray):
    pool = Pool(lambda threads: str.upper, Workers(1), in_hand=2)
    for chunk in "abc":
        pool.submit(chunk)
    assert list(ray.given.values()) == [(0, "a"), (0, "b")]


def test_what_is_forgotten_is_not_begun_or_cancelled(ray):
    pool = Pool(lambda threads: str.upper, Workers(1), in_hand=1)
    first, second, third = (pool.submit(chunk) for chunk in "abc")
    pool.forget(second)
    pool.forget(first)
    ray.next = [0, 1]
    assert pool.result(third) == "C"
    assert ray.cancelled == [0]
    assert [chunk for _, chunk in ray.given.values()] == ["a", "c"]
