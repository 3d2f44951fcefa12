"""A library that an engine is linked with in place of one that the machine will have.

What the linker takes from a library is its name, its symbols and their versions. So one
with these, and nothing in it, links as the real one does; no such library has to be on
the machine that builds, and none of another version can be by accident.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StandIn"]


@dataclass(frozen=True)
class StandIn:
    """One such library.

    Attributes:
        root: what the arguments of the link call it, in braces.
        name: what the real one is called on the machines that have it.
        machine: the arguments that name the target to the compiler.
        source: C that defines its functions; may be empty, because a library may leave
            its symbols open.
        versions: a version script that gives the functions their versions; or empty.
    """

    root: str
    name: str
    machine: tuple[str, ...]
    source: str = ""
    versions: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """All that it is made of."""
        return (self.root, *self.arguments("{folder}"), self.source, self.versions)

    def arguments(self, folder: str) -> tuple[str, ...]:
        """Return what makes it.

        Args:
            folder: where `source.c` and `versions.txt` are, and it will be.
        """
        script = f"-Wl,--version-script={folder}/versions.txt"
        return (
            *(*self.machine, "-shared", "-nostdlib", "-s", "-g0"),
            *("-fno-sanitize=all", f"-Wl,-soname,{self.name}", "-Wl,--build-id=none"),
            *((script,) if self.versions else ()),
            *(f"{folder}/source.c", "-o", f"{folder}/{self.name}"),
        )
