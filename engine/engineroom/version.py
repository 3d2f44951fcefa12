"""The version of this package; the engines it loads must carry the same one."""

__version__ = "0.1.0"
