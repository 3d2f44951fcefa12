"""The environment variables that a build reads; `SETTINGS` feeds the reference page."""

from __future__ import annotations

__all__ = ["BUILD_TARGETS", "CACHE", "SETTINGS", "SOURCES"]

CACHE = "ENGINEROOM_CACHE"
SOURCES = "ENGINEROOM_SOURCES"
BUILD_TARGETS = "ENGINEROOM_BUILD_TARGETS"

# (name, what it holds, what it does)
SETTINGS = (
    (
        CACHE,
        "the path of a folder",
        (
            "Builds only. Keeps fetched sources, objects and engines there in place of"
            " `$XDG_CACHE_HOME/engineroom` or `~/.cache/engineroom`. Everything in it"
            " can be made again."
        ),
    ),
    (
        SOURCES,
        "the path of a folder",
        (
            "Builds only. Takes third-party sources from the files in it before any"
            " origin is asked; their hashes are checked all the same. For machines"
            " without a network."
        ),
    ),
    (
        BUILD_TARGETS,
        "targets, families or aliases, with commas or spaces between; or `none`",
        (
            "Builds only. The engines that the wheel carries: by default those that"
            " fit the building machine, with `none` no engine at all. All must belong"
            " to one wheel."
        ),
    ),
)
