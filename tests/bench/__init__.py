"""Figures and ratios of the whole system on one machine. `python -m tests.bench`, or `make bench`."""
