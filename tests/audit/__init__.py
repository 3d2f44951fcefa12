"""Tests of the audit: real binaries and wheels, each wrong in one way."""
