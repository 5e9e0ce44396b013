"""Normal quantiles of many probabilities at once, without SciPy: its import costs more than a summary of a short run.

Source: Wichura (1988), Algorithm AS 241, The percentage points of the normal distribution, Applied Statistics 37(3),
477-484, doi:10.2307/2347330: routine PPND16, without its third range, which begins below 1.4e-11.
"""

from __future__ import annotations

import numpy as np

_CENTRAL = 0.425  # how far from 1/2 the first range goes
# numerators and denominators, highest power first
_CENTRE = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
        1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
        5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
_TAIL = (
    (
        7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
        3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip


def lower_quantiles(prob: np.ndarray) -> np.ndarray:
    """Standard normal quantiles of probabilities from 1.4e-11 to 1/2, right to 1e-15 or so.

    Args:
        prob: probabilities (...).

    Returns:
        Quantiles (...), none above 0.

    Example:
        >>> lower_quantiles(np.array([0.025, 0.5])).round(4)
        array([-1.96,  0.  ])
    """
    q = prob - 0.5
    centre = _ratio(_CENTRE, _CENTRAL**2 - q * q) * q
    return np.where(q < -_CENTRAL, -_ratio(_TAIL, np.sqrt(-np.log(prob)) - 1.6), centre)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: np.ndarray) -> np.ndarray:
    """One polynomial over another."""
    numerator, denominator = (np.polyval(part, r) for part in coefficients)
    return np.asarray(numerator / denominator)
