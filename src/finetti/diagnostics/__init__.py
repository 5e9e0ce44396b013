"""Can these draws be trusted? Convergence of the chains, health of the sampler, and the summary table."""
