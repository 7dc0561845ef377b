"""Pairs by the rank of a score, right and with likely mistakes, for the checker of 10.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Mistake, Wrong, call
from rfteach.exercises.tools.expect import close, expect_close, expect_pair, expect_tensor

Score = Callable[[Tensor], Tensor]


def score_of(x: Tensor) -> Tensor:
    """Score points of any shape by one number each, shape (n,)."""
    return torch.sin(x.flatten(1)).sum(dim=1) + 0.1 * x.flatten(1)[:, 0]


def another_score(x: Tensor) -> Tensor:
    """Score points otherwise."""
    return torch.cos(2 * x.flatten(1)).sum(dim=1) - 0.3 * x.flatten(1)[:, -1]


def expect_pairs_by_rank(answer: Any, x0: Tensor, x1: Tensor) -> None:
    """Raise Wrong unless the answer pairs x0 and x1, both (n, *event), by the rank of a score."""
    a, b = expect_pair(call(answer, x0, x1, score_of), "the starts and the ends")
    a = expect_tensor(a, x0, "The batch of starts")
    b = expect_tensor(b, x1, "The batch of ends")
    first, second = score_of(x0).argsort(), score_of(x1).argsort()
    wanted = x1[second[first.argsort()]]
    if close(a, x0) and close(b, wanted):
        return
    if torch.equal(b, x0) and torch.equal(a, wanted):
        raise Wrong(
            "The pairs are right, but the starts come second. Return x0, and then the ends."
        )
    if torch.equal(a, x0[first]) and torch.equal(b, x1[second]) and not torch.equal(a, x0):
        raise Wrong(
            "The pairs are right, but both batches are sorted. Leave x0 as it is, so that the "
            "caller's rows stay where they were, and bring the ends into its order."
        )
    back = x0[first[second.argsort()]]
    if torch.equal(b, x1) and torch.equal(a, back) and not torch.equal(a, x0):
        raise Wrong(
            "The pairs are right, but x0 is brought into the order of the ends. Leave x0 as it is, "
            "and bring x1 into its order."
        )
    starts: list[Mistake] = [
        (x1, "The two ends are swapped."),
        (x0[first], "The starts are sorted. Leave x0 as it is, and bring the ends into its order."),
    ]
    expect_close(a, x0, starts, name="The batch of starts")
    other = call(answer, x0, x1, another_score)
    ignored = isinstance(other, tuple | list) and len(other) == 2 and _same(other[1], b)
    again = call(answer, x0, x1, score_of)
    if not (isinstance(again, tuple | list) and len(again) == 2 and _same(again[1], b)):
        raise Wrong("The ends change from call to call. Nothing in the pairing is random.")
    mistakes = _mistaken_ends(x0, x1)
    if ignored and not any(close(b, each) for each, _ in mistakes):
        raise Wrong(
            "The ends are the same for two different scores: the score is not looked at. Call "
            "`score(x0)` and `score(x1)`, and compare these numbers."
        )
    expect_close(b, wanted, mistakes, name="The batch of ends", pointer=_ranks(x0, x1, b))


def _same(a: Any, b: Tensor) -> bool:
    return isinstance(a, Tensor) and a.shape == b.shape and torch.equal(a.detach(), b)


def _ranks(x0: Tensor, x1: Tensor, ends: Tensor) -> str:
    """Say for one pair which ranks its two points have, or that some ends are missing."""
    row = (ends.flatten(1)[:, None] - x1.flatten(1)[None]).abs().amax(dim=2).min(dim=1)
    if row.values.max() > 1e-5 or len(row.indices.unique()) < len(x1):
        return "Each row of x1 should come exactly once. Not so in yours."
    own, its = (score_of(x).argsort().argsort() for x in (x0, x1))
    theirs = its[row.indices]
    wrong = int((own != theirs).int().argmax())
    return (
        f"Row {wrong}: the score of the start has rank {int(own[wrong])} among the starts (from "
        f"0), that of its end has rank {int(theirs[wrong])} among the ends."
    )


def _mistaken_ends(x0: Tensor, x1: Tensor) -> list[Mistake]:
    first, second = score_of(x0).argsort(), score_of(x1).argsort()
    rank = first.argsort()
    gap = (score_of(x0)[:, None] - score_of(x1)[None]).abs()
    way = (x0.flatten(1)[:, None] - x1.flatten(1)[None]).norm(dim=2)

    def paired(score: Score) -> Tensor:
        return x1[score(x1).argsort()[score(x0).argsort().argsort()]]

    own = "This pairs by {}, and not by the score that is given: call `score`."
    turned = (
        "The ranks run opposite: the start with the highest score gets the end with the lowest."
    )
    return [
        (x1, "The ends are still in the order in which they came."),
        (x1[second], "The ends are sorted, but the starts are not. Which rank has each start?"),
        (x1[second.flip(0)], "The ends are sorted, downward, but the starts are not. Which rank "
         "has each start?"),
        (x1[first], "This puts the ends into the order that sorts the *starts*. Take the ends in "
         "order of their own score, and then deal them out by rank."),
        (x1[second[first]], "argsort gives an order: which row comes first, second and so on. A "
         "rank is the inverse: where each row comes. The argsort of an argsort is one."),
        (x1[first[second]], "The orders are put together the wrong way round, and the one of the "
         "starts must be inverted."),
        (x1[second.argsort()[first]], "The wrong order is inverted: here the ranks of the starts "
         "are needed, and the order of the ends."),
        (x1[first[second.argsort()]], "The orders are put together the wrong way round: these are "
         "the starts' rows for the ranks of the ends."),
        (x1[second.argsort()[rank]], "The ends are taken by rank twice. Take the order of the "
         "ends, at the ranks of the starts."),
        (x1[second.argsort()], "These are the ranks of the ends, taken for rows. Take the order of "
         "the ends, at the ranks of the starts."),
        (x1[rank], "These are the rows of the ends at the ranks of the starts. Sort the ends by "
         "score first."),
        (x1[second.flip(0)[rank]], turned),
        (x1[gap.argmin(dim=1)], "Each start got the end with the nearest score. Some ends come "
         "twice and some not at all, so the ends lose their distribution."),
        (x1[way.argmin(dim=1)], "Each start got the nearest end. Some ends come twice, and the "
         "score is not looked at."),
        (_greedy(x0, x1, gap), "Each start in turn took the end with the nearest score that was "
         "left. Later ones get what remains. Compare the ranks in place of the scores."),
        (_greedy(x0, x1, way), "Each start in turn took the nearest end that was left. The score "
         "is not looked at."),
        (paired(lambda x: x.flatten(1)[:, 0]), own.format("the first coordinate")),
        (paired(lambda x: x.flatten(1)[:, -1]), own.format("the last coordinate")),
        (paired(lambda x: x.flatten(1).sum(dim=1)), own.format("the sum or mean of the entries")),
        (paired(lambda x: x.flatten(1).norm(dim=1)), own.format("the distance from 0")),
        (x1[score_of(x1).argsort()[score_of(x1).argsort().argsort()]], "The ranks are those of "
         "the ends themselves, which leaves them as they came. Take the ranks of the starts."),
    ]  # fmt: skip


def _greedy(x0: Tensor, x1: Tensor, gap: Tensor) -> Tensor:
    """Give each start in turn the end of the least gap that is left."""
    left, rows = gap.clone(), []
    for i in range(len(x0)):
        rows.append(int(left[i].argmin()))
        left[:, rows[-1]] = torch.inf
    return x1[rows]
