"""One script per system; each runs in a fresh process and prints one JSON line."""
