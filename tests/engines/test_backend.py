"""JAX imported or used before the first chain: the flag is set while it can be, and said where it is too late."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODEL = """
import os
{before}
import finetti as pm
with pm.Model():
    x = pm.Normal("x", 0, 1, shape=3)
    pm.Poisson("y", pm.math.exp(x), observed=[1, 2, 3])
    trace = pm.sample(20, tune=20, chains=1, random_seed=1, progressbar=False)
print("small_while_loop" in os.environ.get("XLA_FLAGS", ""), "JAX had run something" in trace.attrs["geometry"])
"""


@pytest.mark.parametrize(("before", "said"), [
    ("", "True False"),
    ("import jax.numpy as jnp", "True False"),
    ("import jax.numpy as jnp\njnp.ones(3)", "False True"),
])  # fmt: skip
def test_the_loop_flag_is_set_while_jax_has_not_started(before, said):
    import jax

    if tuple(map(int, jax.__version__.split(".")[:2])) >= (0, 12):
        said = "False False"  # loops are compiled whole anyway
    code = f"import os\nos.environ.pop('XLA_FLAGS', None)\n{MODEL.format(before=before)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == said
