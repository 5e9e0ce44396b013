"""Rank-normalised R-hat, effective sample size and Monte Carlo error for many scalars at once.

Source of every definition: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization,
folding, and localization: an improved R-hat for assessing convergence of MCMC, Bayesian Analysis 16(2),
667-718, doi:10.1214/20-BA1221; "the paper" below.

Only the autocovariance averaged over chains is needed, so the power spectra are averaged before one inverse
transform. `f` takes an array (chain, draw, *variable); `f_of` is the same for `Draws`, which share one sort.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from finetti.diagnostics.draws import Draws, flat, halves, needs, per_scalar
from finetti.errors import DataError

_FEW_LAGS = 8  # of independent draws, three scalars in four need no more
_LONG = 8192  # draws of half a chain
_ONE_SD = (0.1586553, 0.8413447)  # normal probabilities at -1 and 1, to the digits of the paper's code


def rhat(x: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat, the larger of its bulk and its folded version.

    Args:
        x: draws (chain, draw, *variable).

    Returns:
        R-hat (*variable), 1 at convergence. NaN for constants, NaN draws, one chain or fewer than four draws;
        inf for chains that are each stuck at a value of their own.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes.

    Source: the paper, sections 3.1, 4.1 and 4.2.

    Example:
        >>> chains = np.random.default_rng(1).normal(size=(4, 500, 2))
        >>> bool((rhat(chains) < 1.01).all())
        True
    """
    return per_scalar(rhat_of, x)


def ess_bulk(x: np.ndarray) -> np.ndarray:
    """Effective sample size for the bulk: that of the rank-normalised draws.

    Args:
        x: draws (chain, draw, *variable).

    Returns:
        Effective number of draws (*variable). NaN for NaN draws or fewer than four; all draws for a constant.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes.

    Source: the paper, sections 3.2 and 4.1.

    Example:
        >>> ess_bulk(np.ones((4, 100))).item()
        400.0
    """
    return per_scalar(ess_bulk_of, x)


def ess_tail(x: np.ndarray, *, prob: tuple[float, float] = (0.05, 0.95)) -> np.ndarray:
    """Effective sample size for the tails: the smaller of those of two quantiles.

    Args:
        x: draws (chain, draw, *variable).
        prob: probabilities of the two quantiles.

    Returns:
        Effective number of draws (*variable); NaN for NaN draws or fewer than four.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes; `prob` outside [0, 1].

    Source: the paper, section 4.3.

    Example:
        >>> ess_tail(np.random.default_rng(1).normal(size=(4, 500))).item() > 1000
        True
    """
    low, high = map(_checked_prob, prob)
    return per_scalar(lambda draws: ess_tail_of(draws, (low, high)), x)


def ess_quantile(x: np.ndarray, *, prob: float) -> np.ndarray:
    """Effective sample size for one quantile.

    Args:
        x: draws (chain, draw, *variable).
        prob: probability of the quantile.

    Returns:
        Effective number of draws (*variable); NaN for NaN draws or fewer than four.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes; `prob` outside [0, 1].

    Source: the paper, section 4.3.

    Example:
        >>> ess_quantile(np.random.default_rng(1).normal(size=(4, 500)), prob=0.5).item() > 1000
        True
    """
    prob = _checked_prob(prob)
    return per_scalar(lambda draws: _ess_quantile(draws, prob), x)


def ess_mean(x: np.ndarray) -> np.ndarray:
    """Effective sample size for the mean: that of the draws as they are.

    Args:
        x: draws (chain, draw, *variable).

    Returns:
        Effective number of draws (*variable); NaN for NaN or infinite draws, or fewer than four.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes.

    Source: the paper, section 3.2, on split chains.

    Example:
        >>> ess_mean(np.random.default_rng(1).normal(size=(4, 500))).item() > 1000
        True
    """
    return per_scalar(ess_mean_of, x)


def mcse_mean(x: np.ndarray) -> np.ndarray:
    """Monte Carlo standard error of the mean, in the units of `x`.

    Args:
        x: draws (chain, draw, *variable).

    Returns:
        Standard error (*variable); NaN for NaN draws or fewer than four, 0 for a constant.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes.

    Source: the paper, section 4.2: posterior standard deviation over the root of `ess_mean`.

    Example:
        >>> mcse_mean(np.ones((4, 100))).item()
        0.0
    """
    return per_scalar(mcse_mean_of, x)


def mcse_sd(x: np.ndarray) -> np.ndarray:
    """Monte Carlo standard error of the standard deviation, in the units of `x`.

    Args:
        x: draws (chain, draw, *variable).

    Returns:
        Standard error (*variable); NaN for constants, NaN draws or fewer than four.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes.

    Source: Kenney and Keeping (1951), Mathematics of Statistics, part 2, p. 141, for the variance of a
    variance, with the effective size of the squared deviations as number of draws; delta method for its root.

    Example:
        >>> mcse_sd(np.random.default_rng(1).normal(size=(4, 500))).item() < 0.03
        True
    """
    return per_scalar(mcse_sd_of, x)


def mcse_quantile(x: np.ndarray, *, prob: float) -> np.ndarray:
    """Monte Carlo standard error of a quantile, in the units of `x`.

    Args:
        x: draws (chain, draw, *variable).
        prob: probability of the quantile.

    Returns:
        Standard error (*variable); NaN for NaN draws or fewer than four.

    Raises:
        DataError: `x` is not numeric, has no draws, or has no chain and draw axes; `prob` outside [0, 1].

    Source: the paper, section 4.4: half the distance of the order statistics at plus and minus one standard
    error of the Beta posterior of the quantile's probability.

    Example:
        >>> mcse_quantile(np.random.default_rng(1).normal(size=(4, 500)), prob=0.5).item() < 0.05
        True
    """
    prob = _checked_prob(prob)
    return per_scalar(lambda draws: _mcse_quantile(draws, prob), x)


@needs(chains=2)
def rhat_of(draws: Draws) -> np.ndarray:
    """`rhat` of each scalar; fmax because a folded binary variable can be constant, which says nothing."""
    return np.fmax(_split_rhat(draws.scores), _split_rhat(draws.folded_scores))


@needs()
def ess_bulk_of(draws: Draws) -> np.ndarray:
    """`ess_bulk` of each scalar."""
    return _ess(draws.scores)


@needs()
def ess_tail_of(draws: Draws, prob: tuple[float, float] = (0.05, 0.95)) -> np.ndarray:
    """`ess_tail` of each scalar."""
    return np.minimum(_ess_quantile(draws, prob[0]), _ess_quantile(draws, prob[1]))


@needs()
def ess_mean_of(draws: Draws) -> np.ndarray:
    """`ess_mean` of each scalar."""
    return _ess(draws.halves)


@needs()
def mcse_mean_of(draws: Draws) -> np.ndarray:
    """`mcse_mean` of each scalar."""
    return draws.sd / np.sqrt(ess_mean_of(draws))


@needs()
def mcse_sd_of(draws: Draws) -> np.ndarray:
    """`mcse_sd` of each scalar, on draws of variance one so that no fourth power under- or overflows."""
    size = draws.sorted.shape[-1]
    sd = draws.sd * np.sqrt((size - 1) / size)
    squares = (draws.centred / sd[:, None, None]) ** 2
    kurtosis = np.square(flat(squares)).sum(axis=-1) / size
    return sd * np.sqrt((kurtosis - 1) / _ess(halves(squares))) / 2


@needs()
def _ess_quantile(draws: Draws, prob: float) -> np.ndarray:
    """Effective sample size of the indicator that a draw is not above the quantile."""
    return _ess((draws.halves <= draws.quantile(prob)[:, None, None]).astype(float))


@needs()
def _mcse_quantile(draws: Draws, prob: float) -> np.ndarray:
    """Half the distance of two order statistics."""
    from scipy.special import betaincinv

    size = draws.sorted.shape[-1]
    effective = np.nan_to_num(_ess_quantile(draws, prob), nan=size)[:, None]
    position = betaincinv(effective * prob + 1, effective * (1 - prob) + 1, _ONE_SD) * size - 1
    low = np.floor(np.maximum(position[:, :1], 0)).astype(int)
    high = np.ceil(np.minimum(position[:, 1:], size - 1)).astype(int)
    ends = np.take_along_axis(draws.sorted, np.hstack([low, high]), axis=-1)
    return (ends[:, 1] - ends[:, 0]) / 2


def _split_rhat(z: np.ndarray) -> np.ndarray:
    """Root of total over within-chain variance (section 3.1) of normal scores (scalar, half chain, draw)."""
    size = z.shape[-1]
    means = z.mean(axis=-1)
    within = np.square(z - means[..., None]).sum(axis=-1).mean(axis=-1) / (size - 1)
    within = np.where(within < 1e-28, 0, within)  # scores are of order one: this is rounding of equal ones
    between_over_size = means.var(axis=-1, ddof=1)
    return np.sqrt(between_over_size / within + (size - 1) / size)


def _ess(v: np.ndarray) -> np.ndarray:
    """Effective sample size (section 3.2) of v (scalar, half chain, draw), all draws for a constant.

    Chains that mix need few lags, and the fewer lags the Fourier transform is asked for, the less it is padded. Of
    long chains, which do not fit the cache, it costs as much as some thirty sums, so the first lags are summed.
    """
    chains, size = v.shape[1:]
    means = v.mean(axis=-1, keepdims=True)
    deviations, between = v - means, means[..., 0].var(axis=-1, ddof=1)
    time, left = np.empty(len(v)), np.arange(len(v))
    ways = [(_by_transform, max(size // 8, min(size, 8))), (_by_transform, size)]
    if size >= _LONG:
        ways.insert(0, (_by_sums, _FEW_LAGS))
    for covariance, lags in ways:
        rho = _autocorrelation(covariance(deviations, lags), between, size)
        time[left], settled = _autocorrelation_time(rho)
        if settled.all():
            break
        left, deviations, between = (part[~settled] for part in (left, deviations, between))
    # fmax would hide NaN; the floor keeps antithetic chains from claiming any number of draws
    draws = chains * size
    return np.where(_constant(v), draws, draws / np.maximum(time, 1 / np.log10(draws)))


def _autocorrelation(within: np.ndarray, between: np.ndarray, size: int) -> np.ndarray:
    """Autocorrelations (scalar, lag) of several chains together (section 3.2).

    Args:
        within: autocovariances (scalar, lag), averaged over the chains.
        between: variance of the chains' means (scalar,).
        size: draws per chain.
    """
    rho = 1 - (within[:, :1] * size / (size - 1) - within) / (within[:, :1] + between[:, None])
    rho[:, 0] = np.where(np.isnan(rho[:, 1]), np.nan, 1)
    return rho


def _autocorrelation_time(rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integrated autocorrelation time of rho (scalar, lag) by Geyer's initial monotone sequence.

    Sums of neighbouring autocorrelations are positive and decrease for a reversible chain (Geyer 1992,
    Practical Markov chain Monte Carlo, section 3.3). They are added up to the first that is not positive,
    none counted larger than the one before. The next even lag is added once, for antithetic chains. Also
    whether that first sum was among these lags, so that more lags would change nothing.
    """
    last = max((rho.shape[1] - 3) // 2, 0)
    pairs = rho[:, : 2 * last + 2].reshape(len(rho), last + 1, 2).sum(axis=-1)
    stops = ~(pairs > 0)
    settled = stops.any(axis=-1)
    end = np.where(settled, stops.argmax(axis=-1), last)
    counted = np.minimum.accumulate(pairs, axis=-1) * (np.arange(last + 1) < end[:, None])
    row = np.arange(len(rho))
    next_even = rho[row, 2 * end]
    kept = (pairs[row, end] >= 0) | ~(next_even <= 0)
    return -1 + 2 * counted.sum(axis=-1) + np.where(kept, next_even, 0), settled


def _by_sums(deviations: np.ndarray, lags: int) -> np.ndarray:
    """Autocovariance (scalar, lag), divisor n, averaged over the chains of deviations (scalar, chain, draw)."""
    chains, size = deviations.shape[1:]
    products = [np.einsum("scd,scd->s", deviations[..., : size - lag], deviations[..., lag:]) for lag in range(lags)]
    return np.stack(products, axis=-1) / (chains * size)


def _by_transform(deviations: np.ndarray, lags: int) -> np.ndarray:
    """What `_by_sums` gives, by the Fourier transform."""
    size = deviations.shape[-1]
    padded = _fast_length(size + lags)
    spectrum = np.fft.rfft(deviations, n=padded)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.fft.irfft(power, n=padded)[:, :lags] / size


def _constant(v: np.ndarray) -> np.ndarray:
    """Which scalars of v (scalar, chain, draw) vary by no more than rounding, whatever their units."""
    high, low = v.max(axis=(1, 2)), v.min(axis=(1, 2))
    spread = high - low
    return (spread == 0) | (spread < 1e-15 * np.maximum(np.abs(high), np.abs(low)))


@lru_cache
def _fast_length(least: int) -> int:
    """The smallest number from `least` on with no prime factor above 5, which the Fourier transform likes."""
    while True:
        rest = least
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return least
        least += 1


def _checked_prob(prob: float) -> float:
    """A probability."""
    if not 0 <= prob <= 1:
        raise DataError(f"prob is a probability between 0 and 1; got {prob}.")
    return float(prob)
