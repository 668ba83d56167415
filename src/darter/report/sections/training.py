"""How the training went."""

from darter.report.records import Record, Records
from darter.report.sections.shared import kept


def training(records: Records) -> Record:
    epochs = records.epochs  # epoch 0, where there is one, was measured before any training
    if not any(epoch.get("loss") is not None for epoch in epochs):
        if str(kept(records)).startswith("linear-probe"):
            return {
                "missing": "The winner is a linear classifier on a network that stays as it is. "
                "It is solved in one go, so there are no training curves to show."
            }
        if records.run.get("state") == "done":
            return {
                "missing": "No time was left to train: the model is what training starts from. "
                "More --time lets it train."
            }
        return {"missing": "No epoch has been trained yet."}
    return {
        "missing": None,
        "task": records.task,
        "epochs": epochs,
        "last": epochs[-1],
        "loss": _series(epochs, "loss", "val_loss"),
        "accuracy": _series(epochs, "train_accuracy", "val_accuracy"),
    }


def _series(epochs: tuple[Record, ...], train: str, val: str) -> list[tuple]:
    series = []
    for key, name, mark in ((train, "training", "plain"), (val, "held out", "best")):
        points = [(e["epoch"], e[key]) for e in epochs if e.get(key) is not None]
        if points:
            series.append((name, mark, points))
    return series
