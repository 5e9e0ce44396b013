"""A Markov chain for few unknowns: proposals from a distribution that is fitted to the posterior first."""
