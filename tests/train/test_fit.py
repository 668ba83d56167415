from darter.train import fit
from tests.train.tiny import ALL, QUICK


def train(model, problem, recipe=QUICK, strategy=ALL, out=None, **options):
    return fit(
        model,
        strategy,
        recipe,
        problem.train,
        problem.val,
        out,
        augment=problem.augment,
        preprocess=problem.preprocess,
        **options,
    )


def test_fit_learns_the_tint(model, problem):
    fitted = train(model, problem, QUICK.replace(epochs=15))
    assert fitted.val_accuracy >= 0.9
    assert fitted.ended == "all epochs"
    assert [record["epoch"] for record in fitted.history] == list(range(16))
    assert fitted.history[-1]["loss"] < fitted.history[1]["loss"]
