"""Counts of what a sampler reported, and the one line that says so."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from finetti.diagnostics.sampler import SamplerHealth, e_bfmi, sampler_health
from finetti.errors import DataError

NO = np.zeros((4, 5000), dtype=bool)


def flagged(count: int) -> np.ndarray:
    """Flags (chain, draw) of which `count` are set."""
    flags = NO.copy()
    flags.ravel()[:count] = True
    return flags


def energies(*sizes_of_step: float) -> np.ndarray:
    """Random walks pulled back to zero, one chain (5000 draws) per size of step."""
    rng = np.random.default_rng(8)
    pull = 1 - np.array(sizes_of_step)[:, None] ** 2 / 2
    walk = rng.normal(size=(len(sizes_of_step), 5000)) * np.sqrt(1 - pull**2)
    for t in range(1, 5000):
        walk[:, t] += pull[:, 0] * walk[:, t - 1]
    return walk


def test_e_bfmi_agrees_with_arviz():
    energy = energies(0.2, 0.5, 1.0, 1.3)
    np.testing.assert_allclose(e_bfmi(energy), array_stats.bfmi(energy), rtol=1e-12)


def test_e_bfmi_by_hand():
    """Steps 2, -1, 2, -4 and deviations -1, 1, 0, 2, -2: 25 / 10."""
    assert e_bfmi(np.array([[1.0, 3.0, 2.0, 4.0, 0.0]])) == pytest.approx([2.5])


def test_e_bfmi_leaves_out_draws_not_made():
    energy = energies(0.5, 1.0)
    padded = np.hstack([energy, np.full((2, 30), np.nan)])
    np.testing.assert_allclose(e_bfmi(padded), e_bfmi(energy), rtol=1e-12)


@pytest.mark.parametrize("energy", [[[1.0, 2.0]], [[3.0] * 9], [[np.nan] * 9], [[1.0, np.inf, 2.0, 4.0]]])
def test_e_bfmi_is_missing_where_it_means_nothing(energy):
    assert np.isnan(e_bfmi(np.array(energy))).all()


def test_e_bfmi_refuses_other_axes():
    with pytest.raises(DataError, match=r"\(5,\)"):
        e_bfmi(np.zeros(5))


def test_a_clean_run_in_one_sentence():
    health = sampler_health(
        shape=(4, 5000), diverging=NO, energy=energies(1.0, 1.0, 1.1, 1.2), reached_max_treedepth=NO
    )
    assert health.ok
    assert health.line() == (
        f"No divergences in 20,000 draws; lowest E-BFMI {min(health.e_bfmi):.2f}; "
        "no transition reached the maximum tree depth."
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"diverging": NO}, "No divergences in 20,000 draws."),
        ({"reached_max_treedepth": NO}, "No transition reached the maximum tree depth."),
        ({}, "20,000 draws; no sampler statistics were recorded."),
        ({"diverging": np.full((4, 5000), np.nan)}, "20,000 draws; no sampler statistics were recorded."),
        ({"tree_depth": NO + 3}, "20,000 draws; no sampler statistics were recorded."),
        ({"tree_depth": NO + 3, "max_treedepth": 10}, "No transition reached the maximum tree depth."),
    ],
)
def test_what_was_not_recorded_is_not_mentioned(given, line):
    assert sampler_health(shape=(4, 5000), **given).line() == line


def test_divergences_come_first_with_what_to_do():
    health = sampler_health(shape=(4, 5000), diverging=flagged(218), reached_max_treedepth=NO)
    assert health.divergences == 218 and not health.ok
    assert health.line().startswith("218 of 20,000 draws diverged: ")
    for advice in ("Raise target_accept; ", 'geometry="auto", the default', 'step="walnuts"'):
        assert advice in health.line()
    assert health.line().endswith("No transition reached the maximum tree depth.")


def test_low_energy_information_names_the_chains():
    health = sampler_health(shape=(4, 5000), energy=energies(0.2, 1.0, 0.3, 1.0), diverging=NO)
    assert health.min_e_bfmi < 0.1
    assert f"below 0.3 in 2 of 4 chains, at lowest {health.min_e_bfmi:.2f}" in health.line()
    assert "lowest E-BFMI" not in health.line()
    for advice in ("Give priors lighter tails; ", 'geometry="auto", the default', 'step="walnuts"'):
        assert advice in health.line()


def test_advice_is_given_once():
    health = sampler_health(shape=(4, 5000), energy=energies(0.2, 1.0, 0.3, 1.0), diverging=flagged(3))
    assert health.line().count("walnuts") == 1 and "The same may help" in health.line()


def test_who_already_samples_with_walnuts_is_not_told_to():
    health = sampler_health(shape=(4, 5000), energy=energies(0.2, 1.0, 0.3, 1.0), diverging=flagged(3), step="walnuts")
    assert "walnuts" not in health.line() and "draw more, and go by R-hat and ESS." in health.line()


@pytest.mark.parametrize(("value", "shown"), [(0.2, "0.20"), (0.2994, "0.299"), (0.2951, "0.295")])
def test_an_energy_below_the_threshold_is_shown_below_it(value, shown):
    health = SamplerHealth(draws=100, chains=1, e_bfmi=(value,))
    assert f"in 1 of 1 chain, at lowest {shown}:" in health.line()
    assert SamplerHealth(draws=100, chains=1, e_bfmi=(0.3,)).ok


def test_tree_depth_from_the_flag_or_from_the_depth():
    flag = sampler_health(shape=(4, 5000), reached_max_treedepth=flagged(35), max_treedepth=10)
    depth = sampler_health(shape=(4, 5000), tree_depth=3 + 7 * flagged(35), max_treedepth=10)
    assert flag.max_treedepth_hits == depth.max_treedepth_hits == 35
    assert flag.line().startswith("35 of 20,000 transitions reached the maximum tree depth of 10: ")


def test_an_interrupted_run_counts_the_draws_it_made():
    diverging = np.where(np.arange(100) < 60, 0.0, np.nan) * np.ones((2, 1))
    diverging[0, 3] = 1
    health = sampler_health(shape=(2, 100), diverging=diverging, interrupted=True, draws_requested=200)
    assert (health.draws, health.divergences) == (120, 1)
    assert health.line().startswith("Interrupted: these are 120 draws of the 200 asked for, ")
    assert "1 of 120 draws diverged" in health.line()


@pytest.mark.parametrize("count", [0, 1, 218])
def test_it_is_one_line(count):
    health = sampler_health(
        shape=(4, 5000),
        diverging=flagged(count),
        energy=energies(0.1, 1, 1, 1),
        reached_max_treedepth=flagged(9),
        interrupted=True,
    )
    assert "\n" not in health.line() and "  " not in health.line() and ".." not in health.line()


def test_refuses_statistics_of_another_run():
    with pytest.raises(DataError, match=r"'diverging' has shape \(4, 5000\), but there are 4 chains of 100"):
        sampler_health(shape=(4, 100), diverging=NO)
