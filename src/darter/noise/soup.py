"""A greedy soup: the mean of those checkpoints that do better together."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

Weights = Mapping[str, Tensor]


def greedy_soup(
    ingredients: Sequence[tuple[float, Weights]], judge: Callable[[Weights], float]
) -> tuple[dict[str, Tensor], list[int]]:
    """Average checkpoints of one net, best first, keeping each that does no harm.

    ingredients: (score on the validation pictures, named tensors) of each.
    judge: named tensors -> the same score.
    Returns the soup and the ingredients that are in it; the best one always is.
    Source: Wortsman et al., arXiv:2203.05482.
    """
    order = sorted(range(len(ingredients)), key=lambda k: -ingredients[k][0])
    best, soup = ingredients[order[0]]
    taken, soup = [order[0]], dict(soup)
    for number in order[1:]:
        tried = _joined(soup, ingredients[number][1], len(taken))
        score = judge(tried)
        if score >= best:
            best, soup = score, tried
            taken.append(number)
    return soup, taken


def _joined(soup: Weights, more: Weights, count: int) -> dict[str, Tensor]:
    """The mean of `count` checkpoints, whose mean is the soup, and one more."""
    return {
        name: value.lerp(more[name], 1 / (count + 1)) if value.is_floating_point() else value
        for name, value in soup.items()
    }
