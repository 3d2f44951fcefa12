"""The places after the package: the user's engine folder, then the system's.

Imported only where the package has no engine that loads and no setting names a place,
so that an ordinary start pays nothing for it. Whatever becomes of a place is an
attempt: absent, unsafe, without a fitting engine, or with engines to try.
"""

from __future__ import annotations

import os

from engineroom.loader.attempt import Attempt
from engineroom.loader.find import MANIFEST, read_shelf
from engineroom.platforms.choose import candidates
from engineroom.platforms.places import engine_places, unsafe_because
from engineroom.platforms.rows import TARGETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Union

    from engineroom.loader.find import EngineFile
    from engineroom.loader.settings import Overrides
    from engineroom.platforms.probe import Facts

    Plan = list[tuple[Union[EngineFile, None], Attempt]]

__all__ = ["plans_elsewhere"]


def plans_elsewhere(
    backend: str,
    overrides: Overrides,
    facts: Facts,
    environment: Mapping[str, str],
    places: Sequence[tuple[str, str]] | None = None,
) -> Iterator[Plan]:
    """Yield what there is to try in each place, in order.

    Args:
        backend: the backend to serve.
        overrides: the settings in force; the targets among them restrict the choice.
        facts: what is known of this process.
        environment: where the user's folder is looked up.
        places: the places as (origin, folder); those of this system if None.
    """
    if places is None:
        places = engine_places(environment, str(facts.os))
    for origin, folder in places:
        yield _plan(backend, overrides, facts, origin, folder)


def _plan(
    backend: str, overrides: Overrides, facts: Facts, origin: str, folder: str
) -> Plan:
    def ended(verdict: str, reason: str) -> Plan:
        return [(None, Attempt("", folder, verdict, reason))]

    if not os.path.isdir(folder):
        return ended("absent", f"the {origin}'s engine folder is not there")
    manifest = os.path.join(folder, MANIFEST)
    unsafe = unsafe_because(manifest if os.path.lexists(manifest) else folder)
    if not unsafe and not os.path.lexists(manifest):
        # As after a fetch that failed, which leaves its lock there and nothing else.
        return ended("absent", f"the {origin}'s engine folder has no {MANIFEST}")
    if unsafe:
        return ended("unsafe-place", unsafe)
    shelf = read_shelf(folder, origin)
    if shelf.problem:
        return ended(shelf.verdict, shelf.problem)
    plan: Plan = []
    for target, verdict, file in candidates(
        facts, shelf.engines, TARGETS, backend=backend, chosen=overrides.targets
    ):
        if file is None:
            continue
        # A file that is not there is a matter of the examination.
        unsafe = unsafe_because(file.path) if os.path.exists(file.path) else ""
        if unsafe:
            attempt = Attempt(target.id, file.path, "unsafe-place", unsafe)
            plan.append((None, attempt))
        else:
            attempt = Attempt(target.id, file.path, verdict.word, verdict.reason)
            plan.append((file, attempt))
    return plan or ended("none-fits", f"it lists no {backend} engine for this process")
