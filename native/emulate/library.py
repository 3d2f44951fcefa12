"""How the functions that an image imports are written down.

A library is a class; a method marked with `provides` is what the guest gets when it
calls one of the names. It reads its arguments from the machine and returns the answer:
an int, a float, or None for a function without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, ClassVar, Union

if TYPE_CHECKING:
    from collections.abc import Mapping

    from native.emulate.machine import Machine

__all__ = ["Action", "Answer", "Blocked", "Library", "Postponed", "provides"]

Answer = Union[int, float, None]
Action = Callable[[], Answer]


class Postponed(Exception):
    """The action has to be run again once the emulator has stopped.

    Raised within an action that calls the guest: the emulator does not nest.
    """


class Blocked(Exception):
    """The thread waits for another, and goes on where it is said.

    Attributes:
        counter: the address at which it goes on.
        stack: its stack pointer there.
    """

    def __init__(self) -> None:
        super().__init__("the thread waits")
        self.counter = 0
        self.stack = 0


class _Method:
    """A method with the names it is imported by."""

    def __init__(self, names: tuple[str, ...], function: Callable[..., Answer]) -> None:
        self.names = names
        self.function = function

    def __set_name__(self, owner: type[Library], name: str) -> None:
        # Each class begins with what its base has.
        if "methods" not in vars(owner):
            owner.methods = dict(owner.methods)
        for provided in self.names:
            owner.methods[provided] = self.function
        setattr(owner, name, self.function)


def provides(*names: str) -> Callable[[Callable[..., Answer]], _Method]:
    """Make a method what the guest calls by these names (without underscores)."""

    def decorate(function: Callable[..., Answer]) -> _Method:
        return _Method(names, function)

    return decorate


class Library:
    """A set of functions and data for one machine.

    Attributes:
        machine: the machine.
        memory: its memory.
        methods: the marked methods by name.
    """

    methods: ClassVar[dict[str, Callable[..., Answer]]] = {}

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.memory = machine.memory

    def find(self, name: str) -> Action | None:
        """Return what a function does, or None if it is not of this library."""
        method = self.methods.get(name)
        if method is None:
            return None
        return lambda: method(self)

    def data(self) -> Mapping[str, int]:
        """Return the addresses of the data it has, by name."""
        return {}
