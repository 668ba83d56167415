"""darter from Python, where nothing needs the command line.

run = darter.fit("photos/", time="10m")    a Run: model, report, evaluate(folder), resume()
darter.audit("photos/")                    what is wrong with the pictures
darter.evaluate("model.onnx", "labelled/") how good a model is
"""

from darter.api.auditing import audit
from darter.api.evaluating import choose_samples, evaluate
from darter.api.run import Report, Run
from darter.api.training import fit

__all__ = ["Report", "Run", "audit", "choose_samples", "evaluate", "fit"]
