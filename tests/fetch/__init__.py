"""Fetching from real stores, over real servers on loopback."""
