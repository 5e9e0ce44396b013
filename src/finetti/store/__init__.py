"""Traces on disk: written beside the old file and put in its place, sealed, and read as what a stranger sent."""
