"""Few hyperparameters: a Markov chain whose proposals do not depend on where it is, and resemble the posterior.

With its latents integrated out, a model often has three to twelve unknowns left: standard deviations and correlations.
A distribution fitted to their posterior then resembles it so closely that nearly every proposal can be accepted. The
chain corrects for the rest and is exact whatever the fit; how fast it mixes is bounded by the largest weight, posterior
over proposal (Mengersen, Tweedie 1996, Annals of Statistics 24, theorem 2.1). There are no gradients, and nothing is
compiled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from finetti.density import Density
from finetti.engines.batches import Batches, Counting, Evaluate
from finetti.engines.drawn import Drawn
from finetti.engines.independence.proposal import ROUNDS, Fit, fitted_proposal, pilot_size
from finetti.engines.progress import Shown, progress
from finetti.engines.scatter import spread
from finetti.engines.search import LOW, Found, modes_among, search
from finetti.engines.start import start_points
from finetti.engines.walks import WALKERS, walked
from finetti.planning import BY_PROPOSALS

EFFICIENCY = 0.6  # of the proposals, at least
HEAVIEST = 50.0  # weight in the first block at most, over the mean weight
WORK = 150_000_000  # numbers touched by the evaluations of the fit, at most
CHECKS, LOST = 3, 0.02  # rounds of looking for modes the fit misses; share of walks that may end where it seldom goes
UNKEPT = 20  # transitions of each chain before its first draw, at least
BLOCK = 1000  # draws of each chain between two moments at which Ctrl-C loses nothing
CHEAP = 50_000_000  # numbers touched by as many evaluations as there are draws, up to which two are made for each draw


def draw_independently(
    density: Density, seeds: Sequence[np.random.SeedSequence], draws: int, rng: np.random.Generator, *,
    progressbar: bool = False,
) -> Drawn | None:
    """Draws by proposals from a fitted distribution; None where it does not resemble the posterior closely enough.

    Args:
        density: of a model with latents integrated out.
        seeds: one for each chain.
        draws: of each chain.
        rng: for the fit.
        progressbar: show one, where there is something to wait for.

    Raises:
        KeyboardInterrupt: at Ctrl-C before there are draws; later they are kept.
    """  # fmt: skip
    if not density.reductions or density.size > BY_PROPOSALS:
        return None
    evaluate = Batches(density)
    if ROUNDS * pilot_size(density.size) * evaluate.width > WORK:
        return None
    began = time.perf_counter()
    count = Counting(evaluate)
    (start, _), = start_points(density, [rng], None)  # fmt: skip
    found = search(density, count, start, rng, width=evaluate.width)
    fit, found, checked = _checked_fit(density, count, found, rng)
    if fit is None:
        return None
    each = 2 if len(seeds) * draws * evaluate.width <= CHEAP else 1
    walk = _Walk(fit, count, [np.random.default_rng(seed) for seed in seeds], each)
    interrupted = walk.go_on(min(draws, BLOCK))
    if walk.heaviest > HEAVIEST and not interrupted:
        return None
    if draws > BLOCK and not interrupted:
        with progress(wanted=progressbar, total=draws, tune=0, chains=len(seeds)) as show:
            interrupted = walk.go_on(draws - BLOCK, show)
    position, lp, acceptance = walk.kept()
    facts = {
        "sampler": "independence",
        "sampling_time": time.perf_counter() - began,
        "proposal_efficiency": fit.efficiency,
        "evaluations": count.evaluations,
        "interrupted": interrupted,
        "check_points": checked,
    } | found.told()
    statistics = {"lp": lp, "acceptance_rate": acceptance, "diverging": np.zeros(lp.shape, bool)}
    told = _told(fit, count.evaluations, acceptance, found, checked)
    return Drawn(position, statistics, facts, (told,))


def _told(fit: Fit, evaluations: int, acceptance: np.ndarray, found: Found, checked: int) -> str:
    modes = "1 mode" if found.peaks == 1 else f"{found.peaks} modes"
    return (
        f"{evaluations:,} evaluations; proposals come from a distribution fitted to the posterior around {modes}, "
        f"whose draws, weighted, are worth {fit.efficiency:.0%} of its own; {acceptance.mean():.0%} were accepted; "
        f"{checked:,} points not used for the fit show nothing that it misses"
    )


def _checked_fit(
    density: Density, count: Counting, found: Found, rng: np.random.Generator
) -> tuple[Fit | None, Found, int]:
    """A fit that points not used for it agree with, what was found, and how many such points there were."""
    for _ in range(CHECKS):
        fit = fitted_proposal(count, found.modes, rng)
        if fit is None or not fit.efficiency >= EFFICIENCY:
            break
        fresh = spread(density, len(found.points) // 2, rng)
        more = modes_among(count, fresh[_missed(fit, fresh, count(fresh))], known=found.modes)
        if len(more.modes) == len(found.modes):
            walks = walked(count, *_resampled(fit, rng), _root(fit.points), rng)
            lost = _missed(fit, walks.ends, walks.end_values).mean()
            return (fit, found, len(fresh) + len(walks.tried)) if lost <= LOST else (None, found, 0)
        found = found._replace(modes=more.modes)
    return None, found, 0


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


class Walked(NamedTuple):
    """How far a chain is; see `progress`."""

    done: int
    drawn: int
    divergences: int = 0
    step: float = float("nan")


class _Walk:
    """All chains, block by block: proposals are evaluated together, for a call costs more than the points in it.

    The points the proposals were judged by are shared out among the chains as their first proposals, before the draws
    that are kept. Of `each` transitions the last is kept: with two, neighbouring draws are all but independent.
    """

    def __init__(self, fit: Fit, evaluate: Evaluate, rngs: list[np.random.Generator], each: int):
        self.proposal, self.evaluate, self.rngs, self.each = fit.proposal, evaluate, rngs, each
        self.blocks: list[tuple[Steps, np.ndarray]] = []
        self.heaviest = 0.0
        unkept = max(UNKEPT, len(fit.points) // len(rngs))
        chosen = np.arange(unkept * len(rngs)).reshape(len(rngs), unkept) % len(fit.points)
        first = self._weighed(fit.points[chosen], fit.values[chosen])
        self.now = first.at((slice(None), slice(0, 1)))
        self._advance(first.at((slice(None), slice(1, None))))

    def go_on(self, draws: int, show: Callable[[Sequence[Shown]], None] = lambda chains: None) -> bool:
        """`draws` more of every chain, shown as they go; whether that was interrupted, after at least one block."""
        try:
            for start in range(0, draws, BLOCK):
                steps, rate = self._advance(self._proposed(self.each * min(BLOCK, draws - start)))
                rate = rate.reshape(len(rate), -1, self.each).mean(axis=2)
                self.blocks.append((steps.at((slice(None), slice(self.each - 1, None, self.each))), rate))
                drawn = sum(rate.shape[1] for _, rate in self.blocks)
                show([Walked(drawn, drawn)] * len(self.rngs))
        except KeyboardInterrupt:
            if not self.blocks:
                raise
            return True
        return False

    def kept(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, log density and acceptance rate of all draws kept."""
        steps, acceptance = zip(*self.blocks, strict=True)
        parts = [s.position for s in steps], [s.lp for s in steps], acceptance
        position, lp, rate = (np.concatenate(part, axis=1) for part in parts)
        return position, lp, rate

    def _proposed(self, n: int) -> Steps:
        """`n` proposals for every chain."""
        points = np.stack([self.proposal.draw(n, rng) for rng in self.rngs])
        return self._weighed(points, self.evaluate(points.reshape(-1, points.shape[-1])))

    def _weighed(self, points: np.ndarray, values: np.ndarray) -> Steps:
        lp = values.reshape(points.shape[:2])
        proposed = self.proposal.log_density(points.reshape(-1, points.shape[-1]))
        return Steps(points, lp, lp - proposed.reshape(lp.shape))

    def _advance(self, new: Steps) -> tuple[Steps, np.ndarray]:
        """Propose and accept or not, one after the other: the states, and how likely each proposal was accepted."""
        log_uniform = np.log([rng.random(new.lp.shape[1]) for rng in self.rngs])
        states = Steps(*(np.concatenate(parts, axis=1) for parts in zip(self.now, new, strict=True)))
        walks = [_accepted(*pair) for pair in zip(states.log_weight, log_uniform, strict=True)]
        kept = states.at((np.arange(len(walks))[:, None], np.array(walks)))
        before = np.concatenate([self.now.log_weight, kept.log_weight[:, :-1]], axis=1)
        rate = np.exp(np.minimum(new.log_weight - before, 0.0))
        top = new.log_weight.max()
        self.heaviest = max(self.heaviest, float(1.0 / np.exp(new.log_weight - top).mean()))
        self.now = kept.at((slice(None), slice(-1, None)))
        return kept, rate


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
