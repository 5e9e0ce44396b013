"""JAX is made ready before a test can start it by itself: compiled loops then run as fast as users have them."""

from finetti.engines.backend import load_jax

load_jax()
