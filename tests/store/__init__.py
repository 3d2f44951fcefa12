"""Tests of the artifact store: real folders, real wheels, real pip and uv."""
