"""Measurements against peers; `nox -s bench` runs them."""
