"""finetti beside its peers, each in its own environment: run `python -m benchmarks`."""
