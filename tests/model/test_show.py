"""A model as text, LaTeX and DOT."""

from __future__ import annotations

import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import finetti as pm
from finetti.errors import ModelError
from finetti.model.evaluate import evaluate
from finetti.model.graph import Data, apply
from finetti.model.latex import latex_name
from finetti.model.show import as_graphviz, as_latex, as_text, dot_source, node_text

FLOAT = np.dtype(float)
A, B, C = (Data((), FLOAT, name) for name in "abc")
X, M = Data((3,), FLOAT, "x"), Data((3, 2), FLOAT, "m")
Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
SE = [15.0, 10, 16, 11, 9, 11, 10, 18]


@pytest.fixture
def schools():
    with pm.Model(coords={"school": list("ABCDEFGH")}) as model:
        se = pm.Data("se", SE, dims="school")
        tau = pm.HalfCauchy("tau", 5)
        mu = pm.Normal("mu", mu=0, sigma=5)
        eta = pm.Normal("eta", 0, 1, dims="school")
        theta = pm.Deterministic("theta", mu + tau * eta, dims="school")
        pm.Normal("y_obs", mu=theta, sigma=se, observed=Y, dims="school")
        pm.Potential("near_zero", -100 * eta.sum() ** 2)
    return model


# --- text ------------------------------------------------------------------------------------------------------


def test_a_model_as_text(schools):
    assert str(schools).splitlines() == [
        "se        = Data                           (school: 8)",
        "tau       ~ HalfCauchy(beta=5)",
        "mu        ~ Normal(mu=0, sigma=5)",
        "eta       ~ Normal(mu=0, sigma=1)          (school: 8)",
        "theta     = mu + tau * eta                 (school: 8)",
        "y_obs     ~ Normal(mu=theta, sigma=se)     (school: 8)  observed, 8 values",
        "near_zero : log p += -100 * sum(eta) ** 2",
    ]
    assert repr(schools) == str(schools)


def test_a_model_without_dims_or_variables():
    with pm.Model() as model:
        assert as_text(model) == "Model without variables"
        y = pm.Data("y", np.zeros((2, 3)))
        pm.Normal("z", 0, np.ones((2, 3)), observed=y)
        pm.Normal("one", 0, 1, observed=2.0)
    assert as_text(model).splitlines() == [
        "y   = Data                             (2, 3)",
        "z   ~ Normal(mu=0, sigma=array(2, 3))  (2, 3)  observed as y, 6 values",
        "one ~ Normal(mu=0, sigma=1)            observed, 1 value",
    ]


EXPRESSIONS = {
    "a + b * c": lambda: A + B * C,
    "(a + b) * c": lambda: (A + B) * C,
    "a + b - c": lambda: A + B - C,
    "a - (b + c)": lambda: A - (B + C),
    "a - (b - c)": lambda: A - (B - C),
    "a / b / c": lambda: A / B / C,
    "a / (b * c)": lambda: A / (B * C),
    "a * b ** 2": lambda: A * B**2,
    "(a * b) ** 2": lambda: (A * B) ** 2,
    "a ** b ** c": lambda: A ** (B**C),
    "(a ** b) ** c": lambda: (A**B) ** C,
    "a ** -b": lambda: A**-B,
    "-a ** 2": lambda: -(A**2),
    "(-a) ** 2": lambda: (-A) ** 2,
    "(-2) ** a": lambda: (-2.0) ** A,
    "-(a + b)": lambda: -(A + B),
    "a * -b": lambda: A * -B,
    "a - -2": lambda: A - -2.0,
    "a // b % c": lambda: A // B % C,
    "a * (b // c)": lambda: A * (B // C),
    "a // (b * c)": lambda: A // (B * C),
    "(a > 0) & (b <= 1) | ~(c == 0)": lambda: (A > 0) & (B <= 1) | ~(C == 0),
    "m @ x[:2] * a": lambda: M @ X[:2] * A,
    "m @ (x[:2] * a)": lambda: M @ (X[:2] * A),
    "exp(a + b)": lambda: np.exp(A + B),
    "where(a > 0, b, 1)": lambda: np.where(A > 0, B, 1),
    "x[0]": lambda: X[0],
    "x[-1]": lambda: X[-1],
    "m[:, 0]": lambda: M[:, 0],
    "m[1]": lambda: M[1],
    "m[:]": lambda: M[:],
    "x[::-1]": lambda: X[::-1],
    "x[:, None]": lambda: X[:, None],
    "x[array(4)]": lambda: X[[0, 1, 2, 0]],
    "x[[0, 2]]": lambda: X[[0, 2]],
    "(x + 1)[0]": lambda: (X + 1)[0],
    "sum(x)": lambda: X.sum(),
    "sum(m)": lambda: M.sum(),
    "sum(m, axis=-1)": lambda: M.sum(axis=1),
    "mean(m, axis=-2, keepdims=True)": lambda: M.mean(axis=0, keepdims=True),
    "cumsum(x)": lambda: X.cumsum(axis=0),
    "softmax(m)": lambda: pm.math.softmax(M),
    "stack([a, b])": lambda: np.stack([A, B]),
    "stack([x, x], axis=-1)": lambda: np.stack([X, X], axis=1),
    "concatenate([x, [1, 2]])": lambda: np.concatenate([X, [1.0, 2.0]]),
    "transpose(m)": lambda: M.T,
    "reshape(m, (-1,))": lambda: M.ravel(),
    "a * 0.1 + 1e-05": lambda: A * 0.1 + 1e-5,
    "x * array(3, 3)": lambda: X * np.ones((3, 3)),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_with_no_more_parentheses_than_python_needs(text):
    assert node_text(EXPRESSIONS[text]()) == text


LEAVES = st.sampled_from([A, B, C, 2.0, 0.5])
UNARY, BINARY = ["negative"], ["add", "subtract", "multiply", "true_divide", "power"]
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(apply, st.sampled_from(UNARY), inner) | st.builds(apply, st.sampled_from(BINARY), inner, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(TREES.filter(lambda n: hasattr(n, "op")))
def test_what_python_reads_in_the_text_is_the_expression(node):
    """The text, evaluated as Python, has the value of the node: no parenthesis is missing."""
    values = {"a": np.float64(1.3), "b": np.float64(0.7), "c": np.float64(2.1)}
    with np.errstate(all="ignore"):
        text = node_text(node, width=10_000)
        numbers = re.sub(r"(?<![\w.])(\d+\.?\d*)", r"np.float64(\1)", text)
        expected = evaluate([node], {A: values["a"], B: values["b"], C: values["c"]})[0]
        np.testing.assert_allclose(eval(numbers, {"np": np}, values), expected, rtol=1e-9, atol=1e-12)


def test_distributions_and_wrapped_functions_have_their_names():
    def saturating(x, rate):
        return x * rate

    with pm.Model() as model:
        a = pm.Normal("a", 0, 1)
        pm.Deterministic("s", pm.wrap(saturating)(a, 2.0))
        pm.Deterministic("same", a)
    assert "s    = saturating(a, 2)" in str(model)
    assert "same = a" in str(model)
    assert node_text(pm.Normal.dist(0, 2)) == "Normal(mu=0, sigma=2)"


def test_a_data_index_is_shown_by_name():
    with pm.Model() as model:
        county = pm.Data("county", [0, 1, 1], dims="row")
        alpha = pm.Normal("alpha", 0, 1, shape=2)
        pm.Normal("y", alpha[county], 1, observed=np.zeros(3), dims="row")
    assert "y      ~ Normal(mu=alpha[county], sigma=1)  (row: 3)  observed, 3 values" in str(model)


def _grown(grow, times):
    node = A
    for _ in range(times):
        node = grow(node)
    return node


DEEP = {
    "sum to the left": lambda n: n + B,
    "sum to the right": lambda n: B + n,
    "difference": lambda n: B - n,
    "product": lambda n: n * B,
    "functions": np.exp,
    "negatives": lambda n: -n,
    "powers": lambda n: n**B,
    "indices": lambda n: (n + X)[0],
    "shared sum": lambda n: n + n,
    "shared function": lambda n: np.exp(n) * np.log(n) + n,
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("times", [30, 10_000])
def test_deep_and_shared_expressions_are_shortened(kind, times):
    if "shared" in kind and times > 100:
        times = 1_000
    node = _grown(DEEP[kind], times)
    text = node_text(node, width=60)
    assert len(text) <= 60
    assert "…" in text
    with pm.Model() as model:
        model.potentials["p"] = node
    assert len(as_latex(model)) < 400
    assert as_text(model)
    assert '"a" -> "p"' in dot_source(model)


def test_the_ends_of_a_long_sum_are_shown():
    node = sum((X[0] * k for k in range(1, 1_000)), start=A)
    assert node_text(node) == "a + x[0] * 1 + x[0] * 2 + x[0] * 3 + … + x[0] * 999"
    assert node_text(np.stack([A] * 500)).startswith("stack([a, a, a, ")


# --- LaTeX -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("mu", r"\mu"), ("Sigma", r"\Sigma"), ("y", "y"), ("y_obs", r"y_{\mathrm{obs}}"),
        ("tau_alpha", r"\tau_{\alpha}"),
        ("beta1", r"\beta_{1}"), ("beta_0", r"\beta_{0}"), ("sigma_county_x", r"\sigma_{\mathrm{county}, x}"),
        ("rate", r"\mathrm{rate}"), ("school2", r"\mathrm{school2}"), ("_", r"\mathrm{\_}"), ("mu_", r"\mu"),
        ("a$b", r"\mathrm{a\$b}"), ("50%", r"\mathrm{50\%}"), ("x{y}", r"\mathrm{x\{y\}}"),
        ("log tau", r"\mathrm{log\ tau}"),
        ("θ", "θ"), ("theta[0]", r"\mathrm{theta[0]}"),
    ],
)  # fmt: skip
def test_names_in_latex(name, latex):
    assert latex_name(name) == latex


def test_a_model_as_latex(schools):
    assert schools._repr_latex_().splitlines() == [
        r"$$\begin{aligned}",
        r"\mathrm{se} &\phantom{=}\ \text{data} \quad (\mathrm{school}: 8) \\",
        r"\tau &\sim \mathrm{HalfCauchy}(5) \\",
        r"\mu &\sim \mathrm{Normal}(0, 5) \\",
        r"\eta &\sim \mathrm{Normal}(0, 1) \quad (\mathrm{school}: 8) \\",
        r"\theta &= \mu + \tau \, \eta \quad (\mathrm{school}: 8) \\",
        r"y_{\mathrm{obs}} &\sim \mathrm{Normal}(\theta, \mathrm{se}) \quad \text{observed, 8 values} \\",
        r"\mathrm{near}_{\mathrm{zero}} &: \log p \mathrel{+}= -100 \, \operatorname{sum}(\eta)^{2}",
        r"\end{aligned}$$",
    ]


LATEX = {
    r"\frac{a + b}{c}": lambda: (A + B) / C,
    r"\left(\frac{a}{b}\right)^{2}": lambda: (A / B) ** 2,
    r"\left(a + b\right) \, c": lambda: (A + B) * C,
    r"\frac{a}{b} \, c": lambda: A / B * C,
    r"\sqrt{a + b}": lambda: np.sqrt(A + B),
    r"\exp(a)^{2}": lambda: np.exp(A) ** 2,
    r"|a|": lambda: abs(A),
    r"{x}_{0}": lambda: X[0],
    r"{m}_{:, 1}": lambda: M[:, 1],
    r"{x}_{1}^{2}": lambda: X[1] ** 2,
    r"\operatorname{sigmoid}(a)": lambda: pm.math.sigmoid(A),
    r"\operatorname{where}(a \le 1, b, c)": lambda: np.where(A <= 1, B, C),
    r"1 \times 10^{-5}": lambda: A * 0 + 1e-5,
    r"\operatorname{array}(4)": lambda: X[:1] + np.ones(4),
    r"[1, 2]": lambda: X[:2] * [1.0, 2.0],
    r"\infty": lambda: np.minimum(A, np.inf),
}


@pytest.mark.parametrize("latex", LATEX)
def test_expressions_in_latex(latex):
    with pm.Model() as model:
        model.potentials["p"] = LATEX[latex]()
    assert latex in as_latex(model)


def test_latex_is_balanced(schools):
    text = as_latex(schools)
    unescaped = text.replace(r"\{", "").replace(r"\}", "")
    assert unescaped.count("{") == unescaped.count("}")
    assert text.count(r"\left(") == text.count(r"\right)")


# --- the graph -------------------------------------------------------------------------------------------------


def test_a_model_in_dot(schools):
    lines = [line.strip() for line in dot_source(schools).splitlines()]
    assert (lines[0], lines[-1]) == ("digraph {", "}")
    assert r'"tau" [label="tau\n~\nHalfCauchy" shape=ellipse]' in lines
    assert r'"y_obs" [label="y_obs\n~\nNormal" shape=ellipse style=filled fillcolor=lightgrey]' in lines
    assert r'"se" [label="se\nData" shape=box style="rounded,filled" fillcolor=lightgrey]' in lines
    assert r'"theta" [label="theta\nDeterministic" shape=box]' in lines
    assert {line for line in lines if "->" in line} == {
        '"mu" -> "theta"', '"tau" -> "theta"', '"eta" -> "theta"', '"theta" -> "y_obs"', '"se" -> "y_obs"',
        '"eta" -> "near_zero"',
    }  # fmt: skip


def test_plates_hold_what_repeats_together():
    with pm.Model(coords={"school": 2, "row": 3}) as model:
        a = pm.Normal("a", 0, 1, dims="school")
        b = pm.Normal("b", 0, 1, dims="school")
        c = pm.Normal("c", 0, 1, shape=2)
        data = pm.Data("data", np.zeros((3, 2)), dims=("row", "school"))
        pm.Normal("d", a + b + c, 1, observed=data, dims=("row", "school"))
    text = dot_source(model)
    clusters = {
        re.search('label="(.*?)"', part)[1]: set(re.findall(r'^    "(\w+)" \[', part, flags=re.M))
        for part in re.findall(r"subgraph cluster_\d+ \{.*?\n  \}", text, flags=re.S)
    }
    assert clusters == {"school (2)": {"a", "b"}, "2": {"c"}, "row (3) x school (2)": {"data", "d"}}
    assert '"d" -> "data"' in text  # what is observed is generated, not used


def test_names_are_quoted():
    with pm.Model() as model:
        pm.Normal('say "hi" \\ there', 0, 1)
    assert r'"say \"hi\" \\ there" [label="say \"hi\" \\ there\n~\nNormal"' in dot_source(model)


def test_graphviz_source(schools, monkeypatch):
    package = types.SimpleNamespace(Source=lambda text: types.SimpleNamespace(source=text))
    monkeypatch.setitem(sys.modules, "graphviz", package)
    assert schools.to_graphviz().source == dot_source(schools)


def test_without_graphviz_the_error_says_what_to_install(schools, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ModelError, match=r"pip install graphviz.*print\(model\)"):
        as_graphviz(schools)
