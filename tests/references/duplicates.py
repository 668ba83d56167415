"""Slow obvious truths about groups."""


def components(count, links):
    """Connected components as a set of frozensets, by repeated merging."""
    sets = [{index} for index in range(count)]
    for link in links:
        touched = [s for s in sets if s & set(link)]
        sets = [s for s in sets if not s & set(link)]
        sets.append(set().union(*touched))
    return {frozenset(s) for s in sets if s}


def near_duplicate_components(described, limit):
    """Components of the graph of all pairs at or above the limit."""
    links = [
        (i, j)
        for i in range(len(described))
        for j in range(i + 1, len(described))
        if float(described[i] @ described[j]) >= limit
    ]
    return components(len(described), links)
