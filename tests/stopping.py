"""A training that is stopped on the way, as by Ctrl-C."""

import signal


class StopsAfter:
    """Watches a training and presses Ctrl-C once, after a step of that number."""

    def __init__(self, step):
        self.at = step

    def planned(self, plan, step): ...
    def epoch(self, record): ...

    def step(self, step, *_):
        if step == self.at:
            signal.raise_signal(signal.SIGINT)
