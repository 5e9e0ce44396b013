"""Few hyperparameters: a Markov chain whose proposals do not depend on where it is, and resemble the posterior.

With its latents integrated out, a model often has three to twelve unknowns left: standard deviations and correlations.
A distribution fitted to their posterior then resembles it so closely that nearly every proposal can be accepted. The
chain corrects for the rest and is exact whatever the fit; how fast it mixes is bounded by the largest weight, posterior
over proposal (Mengersen, Tweedie 1996, Annals of Statistics 24, theorem 2.1). There are no gradients, and nothing is
compiled.

All chains are one strand, block by block: proposals are evaluated together, for a call costs more than the points in
it. The points the proposals were judged by are shared out among the chains as their first proposals, before the draws
that are kept. Of `each` transitions the last is kept: with two, neighbouring draws are all but independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Batches, Counting
from finetti.engines.contract import Batch, Declined, Offer, Order, Target, Told, Wait
from finetti.engines.exact import Made
from finetti.engines.independence.proposal import ROUNDS, Fit, fitted_proposal, pilot_size
from finetti.engines.scatter import spread
from finetti.engines.search import LOW, Found, modes_among, search
from finetti.engines.start import start_points
from finetti.engines.streams import Stream, generator, stream, written
from finetti.engines.walks import WALKERS, walked

BY_PROPOSALS = 12  # unconstrained coordinates at most
SUITS = f"up to {BY_PROPOSALS} unconstrained coordinates, with latents integrated out"
EFFICIENCY = 0.6  # of the proposals, at least
HEAVIEST = 50.0  # weight in the first block at most, over the mean weight
WORK = 150_000_000  # numbers touched by the evaluations of the fit, at most
CHECKS, LOST = 3, 0.02  # rounds of looking for modes the fit misses; share of walks that may end where it seldom goes
UNKEPT = 20  # transitions of each chain before its first draw, at least
BLOCK = 1000  # draws of each chain between two moments at which Ctrl-C loses nothing
CHEAP = 50_000_000  # numbers touched by as many evaluations as there are draws, up to which two are made for each draw


class Proposals:
    """The engine."""

    name = "independence"

    def offers(self, target: Target) -> Offer:
        """Where latents were integrated out and few coordinates are left; not where a way for NUTS to step is named."""
        few = target.reduced and 1 <= target.left <= BY_PROPOSALS
        return Offer(few and not target.as_written and target.step == "auto", SUITS)

    def ready(self, order: Order) -> ReadyProposals:
        """Search, fit, check the fit."""
        density, rng = order.density, order.rng
        count = Counting(Batches(density))
        if ROUNDS * pilot_size(density.size) * Batches(density).width > WORK:
            raise Declined("one evaluation is too dear to fit proposals by many")
        (start, _), = start_points(density, [rng], None)  # fmt: skip
        found = search(density, count, start, rng, width=Batches(density).width)
        fit, found, checked = _checked_fit(density, count, found, rng)
        each = 2 if len(order.seeds) * order.settings.draws * Batches(density).width <= CHEAP else 1
        return ReadyProposals(order, fit, found, checked, count, each)


def _checked_fit(
    density: Density, count: Counting, found: Found, rng: np.random.Generator
) -> tuple[Fit, Found, int]:
    """A fit that points not used for it agree with, what was found, and how many such points there were."""
    for _ in range(CHECKS):
        fit = fitted_proposal(count, found.modes, rng)
        if fit is None or not fit.efficiency >= EFFICIENCY:
            raise Declined("no distribution that was fitted to the posterior resembles it closely enough")
        fresh = spread(density, len(found.points) // 2, rng)
        more = modes_among(count, fresh[_missed(fit, fresh, count(fresh))], known=found.modes)
        if len(more.modes) == len(found.modes):
            walks = walked(count, *_resampled(fit, rng), _root(fit.points), rng)
            lost = _missed(fit, walks.ends, walks.end_values).mean()
            if lost > LOST:
                raise Declined("walks from the distribution fitted to the posterior lead to parts that it misses")
            return fit, found, len(fresh) + len(walks.tried)
        found = found._replace(modes=more.modes)
    raise Declined("points not used for the fit show parts of the posterior that it misses")


def _missed(fit: Fit, points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(point,) whether the fit proposes places of high density far too seldom."""
    if not len(points):
        return np.zeros(0, bool)
    usual = fit.values - fit.proposal.log_density(fit.points)
    typical = usual.max() + np.log(np.exp(usual - usual.max()).mean())
    with np.errstate(all="ignore"):
        weight = values - fit.proposal.log_density(points)
    return (values > fit.values.max() - LOW) & (weight > typical + np.log(HEAVIEST))


def _resampled(fit: Fit, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the posterior, about: the fit's own, by their weights, and their log densities."""
    weight = fit.values - fit.proposal.log_density(fit.points)
    share = np.exp(weight - weight.max())
    chosen = rng.choice(len(fit.points), WALKERS, p=share / share.sum())
    return fit.points[chosen], fit.values[chosen]


def _root(points: np.ndarray) -> np.ndarray:
    """A factor of their covariance, with a little more in directions they have none of."""
    covariance = np.atleast_2d(np.cov(points.T))
    return np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) * np.eye(len(covariance)))


class Steps(NamedTuple):
    """States of all chains: position (chain, draw, coordinate), and (chain, draw) log density and log weight."""

    position: np.ndarray
    lp: np.ndarray
    log_weight: np.ndarray

    def at(self, index: Any) -> Steps:
        """The states at an index of chains and draws."""
        return Steps(*(part[index] for part in self))


class Walk(NamedTuple):
    """Where all chains are.

    Args:
        now: their states (chain, 1).
        streams: of random numbers, one for each chain.
        drawn: draws of each chain.
        heaviest: the largest weight in a block so far, over the mean weight.
        accepted: sum of the acceptance rates of the draws.
    """

    now: Steps
    streams: tuple[Stream, ...]
    drawn: int = 0
    heaviest: float = 0.0
    accepted: float = 0.0

    @property
    def made(self) -> Made:
        """How far every chain is."""
        return Made(self.drawn)


class ReadyProposals:
    """A fitted distribution to propose from.

    Args:
        order: what to draw from.
        fit: the distribution.
        found: before it was fitted.
        checked: points not used for it that agree with it.
        count: evaluates the density.
        each: proposals for each draw that is kept.
    """

    kinds = (Walk, Steps, Stream)

    def __init__(self, order: Order, fit: Fit, found: Found, checked: int, count: Counting, each: int):
        self.order, self.fit, self.found, self.checked, self.count = order, fit, found, checked, count
        self.each = each

    @property
    def wait(self) -> Wait | None:
        """Something to wait for beyond one block."""
        draws = self.order.settings.draws
        return Wait(draws, 0) if draws > BLOCK else None

    def start(self) -> tuple[Walk, ...]:
        """The chains at the first of the points that the fit was judged by, and gone through the others."""
        chains, fit = len(self.order.seeds), self.fit
        unkept = max(UNKEPT, len(fit.points) // chains)
        chosen = np.arange(unkept * chains).reshape(chains, unkept) % len(fit.points)
        first = self._weighed(fit.points[chosen], fit.values[chosen])
        walk = Walk(first.at((slice(None), slice(0, 1))), tuple(map(stream, self.order.seeds)))
        rngs = [generator(at) for at in walk.streams]
        return (_advanced(walk, first.at((slice(None), slice(1, None))), rngs)[0],)

    def step(self, state: Walk, wanted: int) -> tuple[Walk, tuple[Batch, ...]]:
        """A block of draws of every chain."""
        rngs, draws = [generator(at) for at in state.streams], min(BLOCK, wanted - state.drawn)
        walk, steps, rate = _advanced(state, self._proposed(self.each * draws, rngs), rngs)
        if state.drawn == 0 and walk.heaviest > HEAVIEST:
            raise Declined("the distribution fitted to the posterior misses parts of it")
        rate = rate.reshape(len(rate), draws, self.each).mean(axis=2)
        kept = steps.at((slice(None), slice(self.each - 1, None, self.each)))
        walk = walk._replace(drawn=state.drawn + draws, accepted=state.accepted + float(rate.mean()) * draws)
        return walk, tuple(Batch(k, kept.position[k], _statistics(kept.lp[k], rate[k])) for k in range(len(rate)))

    def shown(self, state: Walk) -> tuple[Made, ...]:
        """All chains are equally far."""
        return (state.made,) * len(self.order.seeds)

    def told(self, states: Sequence[Walk], draws: np.ndarray) -> Told:
        """How it was fitted and checked."""
        (walk,), found, count = states, self.found, self.count
        facts = found.told() | {
            "sampler": Proposals.name, "independent_draws": False, "trajectories": False,
            "drawn_from": "by proposals fitted to the posterior", "proposal_efficiency": self.fit.efficiency,
            "evaluations": count.evaluations, "check_points": self.checked,
        }  # fmt: skip
        modes = "1 mode" if found.peaks == 1 else f"{found.peaks} modes"
        note = (
            f"{count.evaluations:,} evaluations; proposals come from a distribution fitted to the posterior around "
            f"{modes}, whose draws, weighted, are worth {self.fit.efficiency:.0%} of its own; "
            f"{walk.accepted / max(walk.drawn, 1):.0%} were accepted; "
            f"{self.checked:,} points not used for the fit show nothing that it misses"
        )
        return Told(facts, (note,))

    def _proposed(self, n: int, rngs: Sequence[np.random.Generator]) -> Steps:
        """`n` proposals for every chain."""
        points = np.stack([self.fit.proposal.draw(n, rng) for rng in rngs])
        return self._weighed(points, self.count(points.reshape(-1, points.shape[-1])))

    def _weighed(self, points: np.ndarray, values: np.ndarray) -> Steps:
        lp = values.reshape(points.shape[:2])
        proposed = self.fit.proposal.log_density(points.reshape(-1, points.shape[-1]))
        return Steps(points, lp, lp - proposed.reshape(lp.shape))


def _statistics(lp: np.ndarray, acceptance: np.ndarray) -> dict[str, np.ndarray]:
    return {"lp": lp, "acceptance_rate": acceptance, "diverging": np.zeros(lp.shape, bool)}


def _advanced(walk: Walk, new: Steps, rngs: Sequence[np.random.Generator]) -> tuple[Walk, Steps, np.ndarray]:
    """Propose and accept or not, one after the other: the states, and how likely each proposal was accepted."""
    log_uniform = np.log([rng.random(new.lp.shape[1]) for rng in rngs])
    states = Steps(*(np.concatenate(parts, axis=1) for parts in zip(walk.now, new, strict=True)))
    walks = [_accepted(*pair) for pair in zip(states.log_weight, log_uniform, strict=True)]
    kept = states.at((np.arange(len(walks))[:, None], np.array(walks)))
    before = np.concatenate([walk.now.log_weight, kept.log_weight[:, :-1]], axis=1)
    rate = np.exp(np.minimum(new.log_weight - before, 0.0))
    heaviest = float(1.0 / np.exp(new.log_weight - new.log_weight.max()).mean())
    streams = tuple(map(written, rngs))
    now = kept.at((slice(None), slice(-1, None)))
    return walk._replace(now=now, streams=streams, heaviest=max(walk.heaviest, heaviest)), kept, rate


def _accepted(log_weight: np.ndarray, log_uniform: np.ndarray) -> list[int]:
    """Where a chain is after each proposal; it begins at the first of the log weights, the others are proposed.

    Most proposals are accepted, so it is only gone through step by step from where one is not to the next that is.
    """
    with np.errstate(invalid="ignore"):
        refused = np.flatnonzero(~(log_uniform < np.diff(log_weight)))  # by a chain that was at the proposal before
    weights, thresholds = log_weight.tolist(), log_uniform.tolist()
    path, settled = list(range(1, len(weights))), -1
    for present in refused.tolist():
        if present <= settled:
            continue
        settled = present
        while settled < len(path) and not thresholds[settled] < weights[settled + 1] - weights[present]:
            path[settled] = present
            settled += 1
    return path
