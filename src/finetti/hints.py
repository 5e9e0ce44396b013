"""Names of PyMC that finetti does not have, and what to write instead; found where such a name is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Signature, signature
from typing import ParamSpec, TypeVar

from finetti.errors import ArgumentError

_NOT_YET = "finetti does not have it yet"
_PREDICT = (
    f"{_NOT_YET}; a Normal that is to be predicted can be written without `observed=`, with `shape=` or `dims=`, and "
    "is drawn with the rest"
)
_POTENTIAL = f"{_NOT_YET}; write its log density as a `Potential` of `math` functions"
_ARVIZ = "ArviZ has it: the trace is a tree in its schema"

NAMES: Mapping[str, str] = {
    "MutableData": "write `Data`, which `set_data` replaces",
    "ConstantData": "write `Data`",
    "Minibatch": f"{_NOT_YET}; all data are used",
    "Bound": "write a distribution that ends there, such as `TruncatedNormal` or `HalfNormal`, or a `Potential`",
    "CustomDist": _POTENTIAL,
    "DensityDist": _POTENTIAL,
    "Simulator": _NOT_YET,
    "ZeroInflatedPoisson": _POTENTIAL,
    "ZeroInflatedBinomial": _POTENTIAL,
    "ZeroInflatedNegativeBinomial": _POTENTIAL,
    "HurdlePoisson": _POTENTIAL,
    "HurdleGamma": _POTENTIAL,
    "HurdleLogNormal": _POTENTIAL,
    "HurdleNegativeBinomial": _POTENTIAL,
    "OrderedLogistic": f"{_NOT_YET}; write `Categorical` with differences of `math.sigmoid(cutpoints - eta)`",
    "OrderedProbit": f"{_NOT_YET}; write `Categorical` with differences of the normal's cumulative probabilities",
    "Multinomial": _POTENTIAL,
    "DirichletMultinomial": _POTENTIAL,
    "OrderedMultinomial": _POTENTIAL,
    "MvStudentT": _POTENTIAL,
    "Wishart": "write `LKJCholeskyCov`, as PyMC advises",
    "WishartBartlett": _NOT_YET,
    "LKJCorr": "write `LKJCholeskyCov`",
    "MatrixNormal": _NOT_YET,
    "KroneckerNormal": _NOT_YET,
    "GaussianRandomWalk": f"{_NOT_YET}; write `math.cumsum` of `Normal` steps",
    "RandomWalk": f"{_NOT_YET}; write `math.cumsum` of the steps",
    "MvGaussianRandomWalk": _NOT_YET,
    "AR": f"{_NOT_YET}; write a scan in `wrap`",
    "GARCH11": f"{_NOT_YET}; write a scan in `wrap`",
    "EulerMaruyama": f"{_NOT_YET}; write a scan in `wrap`",
    "ZeroSumNormal": f"{_NOT_YET}; write `Normal` and take its mean off: `x - x.mean()`",
    "ICAR": f"{_NOT_YET}; write `Flat` with a `Potential` of the neighbours' differences",
    "CAR": _NOT_YET,
    "StickBreakingWeights": f"{_NOT_YET}; write it with `Beta` and `math.cumprod`",
    "AsymmetricLaplace": _POTENTIAL,
    "ExGaussian": _POTENTIAL,
    "Kumaraswamy": _POTENTIAL,
    "LogitNormal": "write `Deterministic(name, math.sigmoid(z))` of a `Normal` z",
    "Moyal": _POTENTIAL,
    "PolyaGamma": _NOT_YET,
    "Rice": _POTENTIAL,
    "SkewStudentT": _POTENTIAL,
    "Wald": _POTENTIAL,
    "DiscreteWeibull": _POTENTIAL,
    "HyperGeometric": _POTENTIAL,
    "Interpolated": _POTENTIAL,
    "Lognormal": "write `LogNormal`",
    "Skewnormal": "write `SkewNormal`",
    "DiracDelta": "write the number itself",
    "HalfStudent": "write `HalfStudentT`",
    "Chisquared": "write `ChiSquared`",
    "invlogit": "write `math.invlogit`",
    "logit": "write `math.logit`",
    "logsumexp": "write `math.logsumexp`",
    "expand_packed_triangular": "write `LKJCholeskyCov`, which unpacks by itself",
    "from_netcdf": "write `load`",
    "from_zarr": "write `load`",
    "load_trace": "write `load`",
    "save_trace": "write `trace.to_netcdf(path)`",
    "InferenceData": "`sample` returns a tree in ArviZ's schema",
    "sample_prior_predictive": _PREDICT,
    "sample_posterior_predictive": _PREDICT,
    "draw": _PREDICT,
    "compute_log_likelihood": _NOT_YET,
    "compute_log_prior": _NOT_YET,
    "compute_deterministics": "every `Deterministic` is in the posterior already",
    "loo": f"{_NOT_YET}: it needs a log_likelihood group",
    "waic": f"{_NOT_YET}: it needs a log_likelihood group",
    "compare": f"{_NOT_YET}: it needs a log_likelihood group",
    "find_MAP": f"{_NOT_YET}; `sample` finds the modes by itself",
    "fit": f"{_NOT_YET}; `sample` is exact and often as fast",
    "sample_smc": f"{_NOT_YET}; `sample` looks for modes all over the prior where few unknowns are left",
    "sample_numpyro_nuts": "write `sample`, whose NUTS runs in JAX",
    "sample_blackjax_nuts": "write `sample`, whose NUTS runs in JAX",
    "NUTS": "write `sample(target_accept=, max_treedepth=)`",
    "Metropolis": "write `sample`, which chooses",
    "Slice": "write `sample`, which chooses",
    "HamiltonianMC": "write `sample`, which chooses",
    "CompoundStep": "write `sample`, which chooses",
    "ADVI": f"{_NOT_YET}; `sample` is exact and often as fast",
    "init_nuts": "write `sample`, which warms up by itself",
    "logp": _NOT_YET,
    "logcdf": _NOT_YET,
    "icdf": _NOT_YET,
    "do": _NOT_YET,
    "observe": "pass `observed=`",
    "modelcontext": "write `Model.current()`",
    "model_to_graphviz": "write `model.to_graphviz()`",
    "model_to_networkx": _NOT_YET,
    "gp": f"{_NOT_YET}; write `MvNormal` with the covariance",
    "ode": f"{_NOT_YET}; write the solver in JAX with `wrap`",
    "set_tt_rng": "pass `random_seed=` to `sample`",
    "as_op": "write `wrap`, for functions in JAX",
    "to_inference_data": "`sample` returns a tree in ArviZ's schema",
    "traceplot": "write `plot_trace`",
    "pairplot": "write `plot_pair`",
    "plot_posterior": _ARVIZ,
    "plot_ppc": _ARVIZ,
    "plot_energy": _ARVIZ,
    "plot_dist": _ARVIZ,
    "plot_rank": 'write `plot_trace(kind="rank")`',
    "autocorrplot": _ARVIZ,
    "rhat": "write `summary`",
    "ess": "write `summary`",
    "mcse": "write `summary`",
    "hdi": "write `summary`",
}

IN_MODEL: Mapping[str, str] = {
    "basic_RVs": "write `model.randoms`",
    "free_RVs": "write `model.free`",
    "observed_RVs": "write `model.observed`",
    "unobserved_RVs": "write `model.free` and `model.deterministics`",
    "named_vars": "write `model.named`",
    "value_vars": _NOT_YET,
    "continuous_value_vars": _NOT_YET,
    "rvs_to_values": _NOT_YET,
    "initial_point": _NOT_YET,
    "initial_values": "write `model.initvals`",
    "point_logps": _NOT_YET,
    "debug": "`sample` names the term that is not finite",
    "logp": _NOT_YET,
    "dlogp": _NOT_YET,
    "compile_logp": _NOT_YET,
    "compile_dlogp": _NOT_YET,
    "compile_fn": _NOT_YET,
    "d2logp": _NOT_YET,
    "eval_rv_shapes": "each variable has its `.shape`",
    "register_rv": "write the distribution with its name",
    "add_coords": "write `model.add_coord(dim, labels)` for each",
    "set_dim": "write `Model(coords=)`",
    "copy": _NOT_YET,
    "table": "write `print(model)`",
    "str_repr": "write `str(model)`",
    "named_vars_to_dims": "each variable has its `.dims`",
    "deterministic": "write `model.deterministics`",
    "isroot": "models do not nest",
    "parent": "models do not nest",
    "name": "models have no names",
    "root": "models do not nest",
    "dims": "see `model.coords` and `model.dim_lengths`",
    "vars": "write `model.named`",
    "check_test_point": "`sample` names the term that is not finite",
    "check_start_vals": "`sample` names the term that is not finite",
    "profile": _NOT_YET,
    "update_start_vals": "write `initval=`",
    "shape_from_dims": "write `model.shape_of_dims(dims)`",
    "unobserved_value_vars": _NOT_YET,
    "discrete_value_vars": _NOT_YET,
    "coords_mutable": "write `model.coords`",
}

OF_SAMPLE: Mapping[str, str] = {
    "return_inferencedata": "`sample` always returns a tree in ArviZ's schema; leave it out",
    "idata_kwargs": f"log likelihoods and priors: {_NOT_YET}; leave it out",
    "nuts_sampler": "there is one NUTS; leave it out",
    "nuts_sampler_kwargs": "leave it out; see `step`, `max_treedepth`",
    "nuts": "write `target_accept=` and `max_treedepth=` themselves",
    "init": "warm-up is chosen; leave it out",
    "n_init": "leave it out",
    "start": "write `initvals=`",
    "jitter_max_retries": "leave it out",
    "compute_convergence_checks": "the verdict is always given; leave it out",
    "trace": "leave it out",
    "var_names": "every variable is kept; choose in `summary` and plots",
    "callback": _NOT_YET,
    "discard_tuned_samples": "warm-up is never kept; leave it out",
    "keep_warning_stat": "leave it out",
    "mp_ctx": "chains run on threads; leave it out",
    "blas_cores": "leave it out",
    "progressbar_theme": "leave it out",
    "quiet": "write `progressbar=False`",
    "njobs": "write `cores=`",
    "nchains": "write `chains=`",
    "seed": "write `random_seed=`",
    "samples": "write `draws=`",
    "num_samples": "write `draws=`",
    "iter": "write `draws=`",
    "warmup": "write `tune=`",
    "iter_warmup": "write `tune=`",
    "num_warmup": "write `tune=`",
    "max_tree_depth": "write `max_treedepth=`",
    "adapt_delta": "write `target_accept=`",
    "compile_kwargs": "leave it out",
    "backend": "leave it out",
    "zarr_store": "save with `trace.to_zarr`",
}

OF_DISTRIBUTIONS: Mapping[str, str] = {
    "testval": "write `initval=`",
    "sd": "write `sigma=`",
    "size": "write `shape=`",
    "transform": "the support's own map is used; leave it out",
    "default_transform": "leave it out",
    "total_size": "all data are used; leave it out",
    "rng": "pass `random_seed=` to `sample`",
    "dist_params": "leave it out",
    "logp": _POTENTIAL,
    "random": _NOT_YET,
    "signature": "leave it out",
    "scale": "write `sigma=`",
    "loc": "write `mu=`",
    "std": "write `sigma=`",
    "model": "write it inside `with model:`",
    "check_bounds": "they are checked; leave it out",
    "p_value": "write `p=`",
    "logits": "write `logit_p=`",
    "rate": "write `lam=` or `beta=`",
    "cov_func": _NOT_YET,
}

OF_MODELS: Mapping[str, str] = {
    "coords_mutable": "write `coords=`, which `set_data` keeps",
    "name": "models have no names; leave it out",
    "check_bounds": "they are checked; leave it out",
    "model": "models do not nest; leave it out",
}

_KEPT = "every `Data` can be replaced with `set_data`; leave it out"

OF_DATA: Mapping[str, str] = {
    "mutable": _KEPT,
    "export_index_as_coords": "write `coords=`",
    "infer_dims_and_coords": "write `dims=` and `coords=`",
    "model": "it belongs to the model being written; leave it out",
    "dtype": "whole numbers, floats and truth values stay what they are; leave it out",
    "shape": "the shape is that of the values; leave it out",
}

OF_SET_DATA: Mapping[str, str] = {
    "coords": "lengths and labels stay here; `finetti.rebuild(model, data, coords=...)` makes a model with others",
}

OF_EXPRESSIONS: Mapping[str, str] = {
    "dims": "a potential is the sum of its elements and has none; leave it out",
    "model": "it belongs to the model being written; leave it out",
    "auto": "leave it out",
}

IN_VARIABLES: Mapping[str, str] = {
    "eval": f"a variable has no value before `sample`; draws from the prior: {_NOT_YET}",
    "random": _NOT_YET,
    "logp": _NOT_YET,
    "owner": "see `.inputs`",
    "tag": "variables carry no tags",
    "type": "see `.shape` and `.dtype`",
    "get_value": "write `model.data[variable]`",
    "set_value": "write `set_data`",
    "distribution": "see `.family`",
    "dist": "see `.family`",
    "broadcastable": "see `.shape`",
    "eval_shape": "see `.shape`",
    "dimshuffle": "index with None, as in NumPy: `x[:, None]`",
    "astype": "numbers are floats; leave it out",
    "sort": _NOT_YET,
    "argsort": _NOT_YET,
    "cumprod": "write `math.cumprod(x)`",
    "conj": "numbers are real; leave it out",
    "set": _NOT_YET,
    "inc": _NOT_YET,
    "swapaxes": "write `np.swapaxes(x, 0, 1)`",
    "repeat": "index by a list: `x[[0, 0, 1]]`",
    "values": "a variable has no value before `sample`",
    "item": "a variable has no value before `sample`",
    "iloc": "index it as an array: `x[0]`",
    "loc": "index it as an array: `x[0]`",
    "sel": "index it as an array: `x[0]`",
}

_CI_PROB = "write `ci_prob=`"
_ONE_GROUP = "it reads the posterior; leave it out"
_BY_ARVIZ = "leave it out, or use ArviZ, which reads the trace"

OF_SUMMARY: Mapping[str, str] = {
    "hdi_prob": f"{_CI_PROB} and `ci_kind=\"hdi\"`",
    "kind": "choose columns of the table, a pandas table",
    "fmt": "the table is a pandas table",
    "stat_focus": 'medians: `trace["posterior"].median()`',
    "stat_funcs": _BY_ARVIZ,
    "extend": _BY_ARVIZ,
    "filter_vars": '`var_names` takes `"~name"`; leave it out',
    "circ_var_names": _BY_ARVIZ,
    "include_circ": _BY_ARVIZ,
    "skipna": "draws that are not finite are named; leave it out",
    "group": _ONE_GROUP,
    "order": "leave it out",
    "labeller": _BY_ARVIZ,
    "credible_interval": _CI_PROB,
    "hdi": f"{_CI_PROB} and `ci_kind=\"hdi\"`",
    "prob": _CI_PROB,
    "digits": "write `round_to=`",
    "sample_dims": _BY_ARVIZ,
    "varnames": "write `var_names=`",
    "pars": "write `var_names=`",
    "alpha": _CI_PROB,
}

OF_PLOTS: Mapping[str, str] = {
    "hdi_prob": "a forest takes `ci_probs=(0.5, 0.89)`, others show all draws",
    "ci_prob": "a forest takes `ci_probs=(0.5, 0.89)`, others show all draws",
    "hdi": "intervals have equal tails; leave it out",
    "show": "a notebook shows it; elsewhere `plt.show()`",
    "backend": "it is drawn by matplotlib; leave it out",
    "filter_vars": '`var_names` takes `"~name"`; leave it out',
    "combine_dims": _BY_ARVIZ,
    "group": _ONE_GROUP,
    "kind": "leave it out",
    "combined": "chains are drawn apart; leave it out",
    "compact": "each element has a row; leave it out",
    "legend": "leave it out",
    "labeller": _BY_ARVIZ,
    "textsize": "set `plt.rcParams`",
    "axes": "write `ax=`",
    "figure": "write `ax=`",
    "r_hat": "write `summary`",
    "ess": "write `summary`",
    "rope": "draw it on the axes that are returned",
    "quartiles": "write `ci_probs=`",
    "ref_val": "a forest takes `reference=`; else draw it on the axes that are returned",
    "lines": "draw them on the axes that are returned",
    "divergences": "leave it out",
    "marginals": "they are always drawn",
    "transform": '`var_names` takes `"log(tau)"`',
    "colors": _BY_ARVIZ,
    "varnames": "write `var_names=`",
    "model_names": "one trace; leave it out",
    "plot_kwargs": "change the axes that are returned",
    "scatter_kwargs": "change the axes that are returned",
    "marginal_kwargs": "change the axes that are returned",
    "backend_kwargs": "change the axes that are returned",
    "point_estimate": _BY_ARVIZ,
    "ridgeplot_alpha": _BY_ARVIZ,
}

IN_MATH: Mapping[str, str] = {
    "cholesky": _NOT_YET,
    "block_diagonal": _NOT_YET,
    "kronecker": _NOT_YET,
    "logdet": _NOT_YET,
    "matrix_inverse": _NOT_YET,
    "or_": "write `a | b`",
    "and_": "write `a & b`",
    "full_like": "write `np.full(...)`",
    "zeros_like": "write `np.zeros_like(x)`",
    "ones_like": "write `np.ones_like(x)`",
    "ones": "write `np.ones(...)`",
    "zeros": "write `np.zeros(...)`",
    "eye": "write `np.eye(...)`",
    "full": "write `np.full(...)`",
    "flatten_list": "write `math.concatenate`",
    "logdiffexp": "write `a + math.log1mexp(b - a)`",
    "log_softmax": "write `x - math.logsumexp(x, axis=-1, keepdims=True)`",
    "batched_diag": _NOT_YET,
    "expand_packed_triangular": _NOT_YET,
    "logit_": "write `math.logit`",
}

P = ParamSpec("P")
R = TypeVar("R")


def missing(owner: str, name: str, table: Mapping[str, str]) -> str:
    """The words of an `AttributeError` for a name that is not there."""
    hint = table.get(name)
    return f"{owner} has no attribute {name!r}" + (f": {hint}." if hint else ".")


def hinted(table: Mapping[str, str], name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Has a function answer arguments it does not take, or lacks, with what to write instead.

    Args:
        table: from a keyword to words.
        name: of the function, where users know it by another.
    """

    def around(function: Callable[P, R]) -> Callable[P, R]:
        expected = signature(function)
        known = tuple(parameter for parameter in expected.parameters if parameter not in ("self", "cls"))
        title = name or function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            for keyword in kwargs:
                if keyword not in known:
                    hint = table.get(keyword)
                    more = f": {hint}." if hint else f"; it takes {', '.join(known)}."
                    raise ArgumentError(f"{title} has no argument {keyword!r}{more}")
            try:
                expected.bind(*args, **kwargs)
            except TypeError as error:
                raise ArgumentError(f"{title}: {error}; it takes {_written(expected)}.") from None
            return function(*args, **kwargs)

        return called

    return around


def _written(expected: Signature) -> str:
    """The arguments of a function, and which of them are written by name."""
    parts = [parameter for parameter in expected.parameters.values() if parameter.name not in ("self", "cls")]
    by_place = [parameter.name for parameter in parts if parameter.kind is not parameter.KEYWORD_ONLY]
    by_name = [f"{parameter.name}=" for parameter in parts if parameter.kind is parameter.KEYWORD_ONLY]
    return ", ".join(by_place) + (f", and by name {', '.join(by_name)}" if by_name else "")
