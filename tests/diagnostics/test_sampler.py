"""Counts of what a sampler reported, what in them calls for action, and advice that knows what was done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from arviz_stats.base import array_stats

from finetti.diagnostics.findings import Kind
from finetti.diagnostics.sampler import Asked, Run, e_bfmi, findings_of_run, run_of
from finetti.errors import DataError

NO = np.zeros((4, 5000), dtype=bool)
BY_DEFAULT = Asked(step="split", geometry_asked="auto", target_accept=0.8, max_treedepth=10)


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


def steps(asked: Asked, **statistics: np.ndarray) -> tuple[str, ...]:
    """What is advised against all that these statistics show."""
    run = run_of(statistics, shape=(4, 5000), asked=asked)
    return tuple(step for finding in findings_of_run(run) for step in finding.next_steps)


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


def test_what_was_not_recorded_is_not_known():
    run = run_of({}, shape=(4, 5000))
    assert (run.draws, run.chains) == (20_000, 4)
    assert run.divergences is run.e_bfmi is run.max_treedepth_hits is None and not findings_of_run(run)
    assert run_of({"diverging": np.full((4, 5000), np.nan)}, shape=(4, 5000)).divergences is None
    assert run_of({"tree_depth": NO + 3}, shape=(4, 5000)).max_treedepth_hits is None


def test_divergences_say_how_many_and_what_to_do():
    (finding,) = findings_of_run(run_of({"diverging": flagged(218)}, shape=(4, 5000), asked=BY_DEFAULT))
    assert (finding.kind, finding.value, finding.threshold) == (Kind.DIVERGENCES, 218, 0)
    assert finding.says.startswith("218 of 20,000 draws diverged: ") and "Betancourt" in finding.source
    assert finding.next_steps == (
        "raise target_accept from 0.8 to 0.95", 'if a funnel remains, sample with step="walnuts"',
    )  # fmt: skip


def test_divergences_at_the_edge_of_a_domain_call_for_a_link_first():
    asked = replace(BY_DEFAULT, guarded="mu of 'c'")
    (finding,) = findings_of_run(run_of({"diverging": flagged(218)}, shape=(4, 5000), asked=asked))
    assert finding.next_steps[0] == "keep mu of 'c' in the domain by a link such as np.exp or math.sigmoid"
    assert not findings_of_run(run_of({"diverging": flagged(0)}, shape=(4, 5000), asked=asked))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (BY_DEFAULT, {"target_accept": True, "geometry": False, "walnuts": True}),
        (Asked(step="leapfrog", geometry_asked="as_written", target_accept=0.8),
         {"target_accept": True, "geometry": True, "walnuts": True}),
        (Asked(step="walnuts", geometry_asked="auto", target_accept=0.8),
         {"target_accept": True, "geometry": False, "walnuts": False, "draw more": True}),
        (Asked(step="split", geometry_asked="by name", target_accept=0.99),
         {"target_accept": False, "geometry": False, "walnuts": True}),
    ],
)  # fmt: skip
def test_advice_is_not_given_to_those_who_followed_it(asked, wanted):
    told = " ".join(steps(asked, diverging=flagged(3)))
    assert {word: word in told for word in wanted} == wanted


def test_low_energy_information_names_the_chains():
    run = run_of({"energy": energies(0.2, 1.0, 0.3, 1.0), "diverging": NO}, shape=(4, 5000), asked=BY_DEFAULT)
    (finding,) = findings_of_run(run)
    assert finding.kind is Kind.ENERGY and finding.value == run.min_e_bfmi < 0.1
    assert f"below 0.3 in 2 of 4 chains, at lowest {run.min_e_bfmi:.2f}" in finding.says
    assert finding.next_steps == ("give priors lighter tails", 'if a funnel remains, sample with step="walnuts"')


@pytest.mark.parametrize(("value", "shown"), [(0.2, "0.20"), (0.2994, "0.299"), (0.2951, "0.295")])
def test_an_energy_below_the_threshold_is_shown_below_it(value, shown):
    (finding,) = findings_of_run(Run(draws=100, chains=1, e_bfmi=(value,)))
    assert f"in 1 of 1 chain, at lowest {shown}:" in finding.says
    assert not findings_of_run(Run(draws=100, chains=1, e_bfmi=(0.3,)))


def test_tree_depth_from_the_flag_or_from_the_depth():
    flag = run_of({"reached_max_treedepth": flagged(35)}, shape=(4, 5000), asked=BY_DEFAULT)
    depth = run_of({"tree_depth": 3 + 7 * flagged(35)}, shape=(4, 5000), asked=BY_DEFAULT)
    assert flag.max_treedepth_hits == depth.max_treedepth_hits == 35
    (finding,) = findings_of_run(flag)
    assert finding.says.startswith("35 of 20,000 transitions reached the maximum tree depth of 10")


def test_an_interrupted_run_counts_the_draws_it_made():
    diverging = np.where(np.arange(100) < 60, 0.0, np.nan) * np.ones((2, 1))
    diverging[0, 3] = 1
    run = run_of({"diverging": diverging}, shape=(2, 100), asked=Asked(interrupted=True, draws_requested=100))
    assert (run.draws, run.divergences) == (120, 1)
    interrupted, diverged = findings_of_run(run)
    assert interrupted.says == "Interrupted: these are 120 draws of the 200 asked for."
    assert "1 of 120 draws diverged" in diverged.says


def test_refuses_statistics_of_another_run():
    with pytest.raises(DataError, match=r"'diverging' has shape \(4, 5000\), but there are 4 chains of 100"):
        run_of({"diverging": NO}, shape=(4, 100))


def test_attributes_of_another_kind_count_as_not_there():
    attrs = {"sampler": 3, "step": "split", "max_treedepth": "ten", "target_accept": np.nan, "interrupted": np.int64(1)}
    assert Asked.of(attrs) == Asked(step="split", interrupted=True)
