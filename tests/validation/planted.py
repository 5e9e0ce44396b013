"""Faults to be planted in the source one at a time, and the tests of which one must fail.

Each is a small slip of the kind that a hand makes: a sign, a factor, an index, a case forgotten. A fault whose place is
no longer in the source as written here has to be planted anew; `mutated` refuses it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINEAR = "reductions/linear/"
CALIBRATION = "tests/correctness/test_calibration.py::test_the_truth_is_one_more_draw"


@dataclass(frozen=True)
class Fault:
    """One slip.

    Args:
        file: below src/finetti.
        old, new: the text there, which occurs once, and what it becomes.
        tests: files or tests, of which one must fail.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = {
    "carrier: mean for sum": Fault(
        "density.py", "node.shape).sum(), float)", "node.shape).mean(), float)", ("tests/test_density.py",)
    ),
    "density: no log-determinant": Fault(
        "density.py", "yield name, _total(xp, log_det, lead), True",
        "yield name, 0.0 * _total(xp, log_det, lead), True",
        ("tests/test_density.py",),
    ),
    "the same, told by calibration (as written)": Fault(
        "density.py", "yield name, _total(xp, log_det, lead), True",
        "yield name, 0.0 * _total(xp, log_det, lead), True",
        (f"{CALIBRATION}[as written]",),
    ),
    "fit: the chain's coordinate stored as the support's": Fault(
        "collect.py", "if block.coordinates is None:", "if True:", ("tests/test_collect.py",)
    ),
    "fit: the first chain's coordinates for all": Fault(
        "collect.py", "drawn.flat[chain, part], given[chain], rngs", "drawn.flat[chain, part], given[0], rngs",
        ("tests/test_collect.py",),
    ),
    "fit: the last batch is lost": Fault(
        "collect.py", "done = part.stop", "done = part.start",
        ("tests/test_collect.py",),
    ),
    "elimination: the pull of a slot": Fault(
        LINEAR + "elimination.py", "total = total + xp.sum(pull * pull * inverse, axis=0)",
        "total = total + xp.sum(pull * inverse, axis=0)",
        ("tests/reductions/linear/test_elimination.py",),
    ),
    "elimination: noise of variance for sd": Fault(
        LINEAR + "elimination.py", "np.sqrt(inverse) * noise", "inverse * noise",
        ("tests/reductions/linear/test_elimination.py", "tests/reductions/linear/test_gaussian.py"),
    ),
    "the same, told by calibration (grid)": Fault(
        LINEAR + "elimination.py", "np.sqrt(inverse) * noise", "inverse * noise", (f"{CALIBRATION}[grid]",)
    ),
    "elimination: border drawn untransposed": Fault(
        LINEAR + "elimination.py", "np.linalg.solve(np.swapaxes(done.border, -1, -2), border",
        "np.linalg.solve(done.border, border",
        ("tests/reductions/linear/test_elimination.py", "tests/reductions/linear/test_gaussian.py"),
    ),
    "the same, told by calibration (exact)": Fault(
        LINEAR + "elimination.py", "np.linalg.solve(np.swapaxes(done.border, -1, -2), border",
        "np.linalg.solve(done.border, border",
        (f"{CALIBRATION}[exact]",),
    ),
    "layout: elements put back in the border's place": Fault(
        LINEAR + "layout.py", "flat[self.border] = border.T", "flat[self.border] = border.T[::-1]",
        ("tests/reductions/linear/test_gaussian.py",),
    ),
    "layout: the pull's sign": Fault(
        LINEAR + "layout.py", "border_pull=-draws_first", "border_pull=draws_first",
        ("tests/reductions/linear/test_elimination.py", "tests/reductions/linear/test_gaussian.py"),
    ),
    "marginal: half a determinant": Fault(
        LINEAR + "gaussian.py", "+ 0.5 * log_of_product(factors.pivot, xp)", "+ log_of_product(factors.pivot, xp)",
        ("tests/reductions/linear/test_gaussian.py",),
    ),
    "the same, told by calibration (proposals)": Fault(
        LINEAR + "gaussian.py", "+ 0.5 * log_of_product(factors.pivot, xp)", "+ log_of_product(factors.pivot, xp)",
        (f"{CALIBRATION}[proposals]",),
    ),
    "draw-back: members without their location": Fault(
        LINEAR + "gaussian.py", "return align(mean, member.ndim) + align(scale, member.ndim) * z",
        "return align(scale, member.ndim) * z + 0.0 * align(mean, member.ndim)",
        ("tests/reductions/linear/test_gaussian.py",),
    ),
    "draw-back: the shift left out": Fault(
        LINEAR + "gaussian.py", "*solve(factors, draws, rng)) + numbers.arrays[self.shift]",
        "*solve(factors, draws, rng))",
        ("tests/test_collect.py",),
    ),
    "centring: no scale in the log-determinant": Fault(
        "coordinates/centring.py", "return loc + scale * xi, xp.log(scale) + log_width",
        "return loc + scale * xi, log_width",
        ("tests/coordinates/test_finding.py",),
    ),
    "the same, told by calibration (NUTS)": Fault(
        "coordinates/centring.py", "return loc + scale * xi, xp.log(scale) + log_width",
        "return loc + scale * xi, log_width",
        (f"{CALIBRATION}[nuts]",),
    ),
    "centring: learned from gradients unscaled": Fault(
        "coordinates/centring.py", "gradients / width * new_width)", "gradients)",
        ("tests/coordinates/test_finding.py",),
    ),
    "bend: half its log-determinant": Fault(
        "coordinates/bend.py", "-xp.softplus(-z) - log_k", "-0.5 * xp.softplus(-z) - log_k",
        ("tests/coordinates/test_finding.py",),
    ),
    "bend: the gradient along it": Fault(
        "coordinates/bend.py", "along_log = (gradients - bending) / slope", "along_log = gradients / slope",
        ("tests/coordinates/test_finding.py",),
    ),
    "recentring: the chain is not moved": Fault(
        "engines/nuts/learning.py", "place = unconstrain(density.blocks, moved, chosen)", "place = position.copy()",
        ("tests/engines/test_learning.py",),
    ),
    "proposals: accepted by weight alone": Fault(
        "engines/independence/chain.py", "weights[settled + 1] - weights[present]:", "weights[settled + 1]:",
        ("tests/engines/test_independence.py",),
    ),
    "proposals: the map's log-determinant": Fault(
        "engines/independence/proposal.py", "return self.mixture.log_density(x) + log_det",
        "return self.mixture.log_density(x)",
        ("tests/engines/test_independence.py",),
    ),
    "quadrature: every draw of the envelope kept": Fault(
        "engines/quadrature.py", "np.flatnonzero(rng.random(len(weight)) * ROOM < weight)",
        "np.flatnonzero(rng.random(len(weight)) < np.inf)",
        ("tests/engines/test_quadrature.py",),
    ),
    "transition: the old tree preferred": Fault(
        "engines/nuts/transition.py", "gain < -MAX_ENERGY_ERROR", "gain < -10 * MAX_ENERGY_ERROR",
        ("tests/engines/test_transition.py",),
    ),
    "transition: the last leaf is always taken": Fault(
        "engines/nuts/transition.py", "accept = (s.n == 0) | (xp.log(chance) < gain - log_weight)",
        "accept = (s.n >= 0) | (xp.log(chance) < gain - log_weight)",
        ("tests/engines/test_transition.py", "tests/engines/test_stationary.py"),
    ),
    "transition: always in one direction": Fault(
        "engines/nuts/transition.py", 't.depth.astype("uint64")) & 1).astype("int32")',
        't.depth.astype("uint64")) & 1 | 1).astype("int32")',
        ("tests/engines/test_transition.py", "tests/engines/test_stationary.py"),
    ),
    "tree: no check across the seam": Fault(
        "engines/nuts/tree.py", "| turned(xp, left.last + right.total, left.last, right.last)", "",
        ("tests/engines/test_tree.py", "tests/engines/test_transition.py"),
    ),
    "leapfrog: a whole kick first": Fault(
        "engines/nuts/leapfrog.py", "half = phase.momentum + 0.5 * step", "half = phase.momentum + step",
        ("tests/engines/test_transition.py", "tests/engines/test_stationary.py"),
    ),
    "split: the turn's sign": Fault(
        "engines/nuts/split.py", "cos * half - trusted * sin * q", "cos * half + trusted * sin * q",
        ("tests/engines/test_split.py",),
    ),
    "warmup: nothing forgotten": Fault(
        "engines/nuts/warmup.py", "foreground, background = self.background, len(self.draws)",
        "foreground, background = self.foreground, len(self.draws)",
        ("tests/engines/test_warmup.py",),
    ),
    "metric: variance for sd": Fault(
        "engines/nuts/metric.py", "np.clip(np.sqrt(variance), least", "np.clip(variance, least",
        ("tests/engines/test_warmup.py",),
    ),
    "counter: one half of the momenta twice": Fault(
        "engines/nuts/counter.py", "radius * xp.cos(angle), radius * xp.sin(angle)",
        "radius * xp.cos(angle), radius * xp.cos(angle)",
        ("tests/engines/test_counter.py",),
    ),
    "counter: leaves share the merges' numbers": Fault(
        "engines/nuts/counter.py", "(np.uint64(k << 40) for k in range(4))", "(np.uint64(0) for k in range(4))",
        ("tests/engines/test_counter.py", "tests/engines/test_stationary.py"),
    ),
    "step size: the error's sign": Fault(
        "engines/nuts/step_size.py", "* (target - acceptance)", "* (acceptance - target)",
        ("tests/engines/test_warmup.py", "tests/engines/test_stationary.py"),
    ),
    "step size: the last for the average": Fault(
        "engines/nuts/program.py", "mode == Purpose.DRAW, sizes.log_average", "mode == Purpose.DRAW, sizes.log_step",
        ("tests/engines/test_warmup.py", "tests/engines/test_run.py"),
    ),
    "R-hat: chains not centred": Fault(
        "diagnostics/convergence.py", "between_over_size = means.var(axis=-1, ddof=1)",
        "between_over_size = means.var(axis=-1)",
        ("tests/diagnostics/test_convergence.py",),
    ),
    "ESS: chains' means left out": Fault(
        "diagnostics/convergence.py", "means[..., 0].var(axis=-1, ddof=1)", "0.0 * means[..., 0].var(axis=-1)",
        ("tests/diagnostics/test_convergence.py",),
    ),
    "trace: chains in another order": Fault(
        "engines/sinks.py", "[b.flat for b in batches])[:least] for batches in self.batches])",
        "[b.flat for b in batches])[:least] for batches in self.batches[::-1]])",
        ("tests/engines/test_run.py",),
    ),
    "logs: the complement's for the value's": Fault(
        "distributions/bijections.py", "return Logs(-xp.softplus(-z), -xp.softplus(z))",
        "return Logs(-xp.softplus(z), -xp.softplus(-z))",
        ("tests/distributions/test_logs.py",),
    ),
    "logs: never used": Fault(
        "density.py", "if its_logs is None or by_logs is None:", "if True:", ("tests/distributions/test_logs.py",),
    ),
    "bend: its logarithm without the scale": Fault(
        "coordinates/bend.py", "NEGLIGIBLE))) - log_k)", "NEGLIGIBLE))))",
        ("tests/distributions/test_logs.py",),
    ),
    "guards: a rate below 0 may be": Fault(
        "density.py", "inside = inside & guard.holds(known, xp, lead)",
        "inside = inside | guard.holds(known, xp, lead)",
        ("tests/distributions/test_guards.py", "tests/engines/test_search.py"),
    ),
    "search: one climb": Fault(
        "engines/search.py", "found = modes_from(evaluate, points[apart]) if apart else []", "found = []",
        ("tests/engines/test_quadrature.py",),
    ),
    "starts: the first, whatever its gradient": Fault(
        "engines/nuts/chain.py", "        if least < ASTRONOMICAL:\n            break", "        break",
        ("tests/engines/test_start.py",),
    ),
    "warmup: a failure is not counted": Fault(
        "engines/nuts/warmup.py", "self._replace(failures=self.failures + 1)", "self",
        ("tests/engines/test_fallbacks.py",),
    ),
    "rounding: never judged": Fault(
        "engines/rounding.py", "return float((rounding > TOLERANCE).mean()) < FEW", "return True",
        ("tests/engines/test_rounding.py",),
    ),
    "rows of many coefficients: written out as before": Fault(
        LINEAR + "gaussian.py", "axis=1).T) > MANY_KINDS", "axis=1).T) > 10**6",
        ("tests/reductions/linear/test_cost.py",),
    ),
    "plan: nothing is too dear": Fault(
        LINEAR + "cost.py", "if cost <= BEARABLE or", "if cost <= 1e9 or", ("tests/reductions/linear/test_cost.py",),
    ),
    "store: the seal is not looked at": Fault(
        "store/netcdf.py", "if sealed and _digest", "if not sealed and _digest", ("tests/hostile/test_files.py",),
    ),
    "store: a missing part is nobody's": Fault(
        "store/zarr.py", "for name in sorted(noted.keys() - there):", "for name in ():", ("tests/store",),
    ),
    "store: links are followed": Fault(
        "store/netcdf.py", "if not isinstance(group.get(name, getlink=True), h5py.HardLink):", "if False:",
        ("tests/store",),
    ),
    "store: written where the old file is": Fault(
        "store/beside.py", 'part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")', "part = target",
        ("tests/store",),
    ),
    "store: a failed write is forgotten": Fault(
        "store/netcdf.py", "    if sink.error is not None:\n        raise sink.error\n\n\ndef _seal",
        "\n\ndef _seal",
        ("tests/store",),
    ),
    "rescue: draws are lost after all": Fault(
        "sampling.py", "    except (Exception, KeyboardInterrupt) as error:\n        return",
        "    except ZeroDivisionError as error:\n        return",
        ("tests/test_rescue.py",),
    ),
    "seeds: a generator is not moved on": Fault(
        "sampling.py", "random_seed = random_seed.integers(2**63, size=2).tolist()", "random_seed = 1",
        ("tests/test_layout.py",),
    ),
    "pairs: rates beside exposures that are unknown": Fault(
        "reductions/conjugate.py", "total = total + _added_up(", "total = total + 0 * _added_up(",
        ("tests/reductions/test_conjugate.py",),
    ),
    "pairs: failures counted as trials": Fault(
        "reductions/pairs.py", "np.add.at(sums.second, element, trials - successes)",
        "np.add.at(sums.second, element, trials)",
        ("tests/reductions/test_conjugate.py",),
    ),
    "pairs: draws of the prior": Fault(
        "reductions/conjugate.py", "_log_gamma(shape + numbers[self.first],",
        "_log_gamma(shape + 0 * numbers[self.first],",
        ("tests/reductions/test_conjugate.py",),
    ),
    "pairs: a potential is overlooked": Fault(
        "reductions/pairs.py", "if member in reader.touched(node):", "if False:",
        ("tests/reductions/test_conjugate.py",),
    ),
    "pairs: one row reads two elements": Fault(
        "reductions/pairs.py", "if (reads != 1).any():", "if (reads < 1).any():",
        ("tests/reductions/test_conjugate.py",),
    ),
    "numbers: NumPy takes its own": Fault(
        "reductions/contract.py", "if (other := given.get(node)) is None", "if (other := None) is None",
        ("tests/reductions/test_conjugate.py",),
    ),
    "linear: the table of the first data": Fault(
        LINEAR + "gaussian.py", "own = table is self.table or table.base is self.table", "own = True",
        ("tests/reductions/linear/test_gaussian.py",),
    ),
    "interrupts: never raised": Fault(
        "interrupts.py", "if _pressed and threading", "if False and threading", ("tests/test_interrupts.py",)
    ),
    "streams: every block has the same numbers": Fault(
        "engines/independence/chain.py", "streams = tuple(map(written, rngs))", "streams = walk.streams",
        ("tests/engines/test_independence.py",),
    ),
    "run: a second Ctrl-C loses all": Fault(
        "engines/run.py", "if min(going.drawn()) == 0:", "if True:", ("tests/engines/test_run.py",)
    ),
    "tails: lines from the start alone": Fault(
        "engines/improper.py", "near = [place for place in places if", "near = [place for place in places[:1] if",
        ("tests/engines/test_improper.py",),
    ),
    "unvisited: the way is not looked at": Fault(
        "engines/unvisited.py", "return bool((lowest < np.minimum(values[nearest], mode.height) - DIP).all())",
        "return True", ("tests/engines/test_unvisited.py",),
    ),
    "custom: other variables are read": Fault(
        "distributions/custom.py", "isinstance(other, Random | Data | Deterministic)", "isinstance(other, Random)",
        ("tests/distributions/test_custom.py",),
    ),
    "labels: never compared": Fault(
        "model/labels.py", "if axis.name != dim and not _same(axis.labels, known):", "if True:",
        ("tests/model/test_labels.py",),
    ),
    "heavy: the threshold of an exact mean": Fault(
        "diagnostics/heavy.py", "heavy = order[k[order] > RELIABLE]", "heavy = order[k[order] > 2]",
        ("tests/diagnostics/test_verdict.py",),
    ),
    "rescue: nothing is said": Fault(
        "diagnostics/sampler.py", "_empty, _loss, ", "_empty, ",
        ("tests/test_rescue.py",),
    ),
}  # fmt: skip


def mutated(fault: Fault, folder: Path) -> Path:
    """A copy of the source in `folder` with the fault planted; what to put on PYTHONPATH.

    Raises:
        LookupError: the fault's place is not in the source exactly once.
    """
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    path = source / "finetti" / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise LookupError(f"{fault.file} holds {fault.old!r} {text.count(fault.old)} times: plant the fault anew")
    path.write_text(text.replace(fault.old, fault.new))
    return source
