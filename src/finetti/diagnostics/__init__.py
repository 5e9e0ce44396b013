"""Can these draws be trusted? Convergence of the chains, the verdict, and the summary table."""
