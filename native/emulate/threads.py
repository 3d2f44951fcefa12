"""Threads, one at a time: another runs while this one waits for it.

The engine's second thread works off one job and waits. So it is enough to switch where
a thread waits: on a condition, or for another's end. What follows is the same on each
run; races between threads are not looked for here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from native.emulate.errors import GuestFault
from native.emulate.library import Blocked, Library, provides
from native.emulate.memory import BASE

if TYPE_CHECKING:
    from native.emulate.machine import Machine

__all__ = ["Threads"]

_STACK_BYTES = 1 << 20
_MAIN = BASE + 64  # pthread_self() of the first thread
_ETIMEDOUT = 60
_NOTHING = frozenset(
    f"pthread_{word}"
    for word in [
        "mutex_init",
        "mutex_lock",
        "mutex_trylock",
        "mutex_unlock",
        "mutex_destroy",
        "mutexattr_init",
        "mutexattr_settype",
        "mutexattr_destroy",
        "rwlock_init",
        "rwlock_rdlock",
        "rwlock_wrlock",
        "rwlock_unlock",
        "rwlock_destroy",
        "cond_init",
        "cond_destroy",
        "attr_init",
        "attr_setstacksize",
        "attr_destroy",
    ]
)


class _Thread:
    """A thread of the guest that is not the first.

    Attributes:
        stack: its stack's block.
        condition: what it waits on; 0 once that was signalled.
        has_ended: whether its function has come back.
        waiting: where it goes on; None before it has run at all.
        context: its registers there.
    """

    def __init__(self, function: int, argument: int, stack: int) -> None:
        self.function = function
        self.argument = argument
        self.stack = stack
        self.condition = 0
        self.has_ended = False
        self.waiting: Blocked | None = None
        self.context: Any = None


class Threads(Library):
    """POSIX threads, and what is kept for each.

    Attributes:
        started: how many threads were started.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.started = 0
        self._threads: dict[int, _Thread] = {}
        self._current = _MAIN
        self._keys: dict[tuple[int, int], int] = {}
        self._key_count = 0
        self._locals: dict[int, int] = {}

    def find(self, name: str) -> Any:
        """Return a function; locks are free, because one thread runs at a time."""
        return super().find(name) or ((lambda: 0) if name in _NOTHING else None)

    @property
    def identity(self) -> int:
        """What Python calls the thread that runs."""
        return threading.get_ident() if self._current == _MAIN else self._current

    @property
    def live(self) -> int:
        """How many threads nobody has waited for."""
        return len(self._threads)

    @provides("pthread_self")
    def self(self) -> int:
        """Return the thread that runs."""
        return self._current

    @provides("pthread_equal")
    def equal(self) -> int:
        """Tell whether two are the same."""
        return int(self.machine.integer(0) == self.machine.integer(1))

    @provides("pthread_create")
    def create(self) -> int:
        """Make a thread; it begins when somebody waits."""
        out, _, function, argument = (self.machine.integer(i) for i in range(4))
        stack = self.memory.allocate(_STACK_BYTES)
        self._threads[stack] = _Thread(function, argument, stack)
        self.memory.set64(out, stack)
        self.started += 1
        return 0

    @provides("pthread_join")
    def join(self) -> int:
        """Run a thread to its end."""
        self.machine.outside()
        identity = self.machine.integer(0)
        thread = self._threads.get(identity)
        if thread is None:
            raise GuestFault("waits for a thread that does not exist")
        while not thread.has_ended:
            if not self._run_others():
                raise GuestFault("waits for ever for another thread")
        del self._threads[identity]
        self.memory.free(thread.stack)
        return 0

    @provides("pthread_cond_signal", "pthread_cond_broadcast")
    def signal(self) -> int:
        """Let those go on that wait on a condition."""
        condition = self.machine.integer(0)
        for thread in self._threads.values():
            if thread.condition == condition:
                thread.condition = 0
        return 0

    @provides("pthread_cond_wait")
    def wait(self) -> int:
        """Wait on a condition."""
        self.machine.outside()
        if self._current != _MAIN:
            self._threads[self._current].condition = self.machine.integer(0)
            raise Blocked
        if not self._run_others():
            raise GuestFault("waits for ever on a condition")
        return 0

    @provides("pthread_cond_timedwait", "pthread_cond_timedwait_relative_np")
    def wait_until(self) -> int:
        """Wait on a condition; no time passes, and all do what they can."""
        self.machine.outside()
        if self._current != _MAIN:
            raise GuestFault("waits with a time limit in a second thread")
        return 0 if self._run_others() else _ETIMEDOUT

    def _run_others(self) -> bool:
        """Run each thread that can until it waits; whether any could."""
        if self._current != _MAIN:
            raise GuestFault("waits for a thread in a second thread")
        able = [
            (identity, thread)
            for identity, thread in self._threads.items()
            if not thread.has_ended and not thread.condition
        ]
        for identity, thread in able:
            self._switch(identity, thread)
        return bool(able)

    def _switch(self, identity: int, thread: _Thread) -> None:
        machine = self.machine
        before = machine.context()
        self._current = identity
        try:
            if thread.waiting is None:
                top = thread.stack + _STACK_BYTES - 64
                machine.prepare(thread.function, top, thread.argument)
                machine.run(thread.function)
            else:
                machine.restore(thread.context)
                machine.set_register(machine.cpu.stack, thread.waiting.stack)
                machine.run(thread.waiting.counter, 0)
            thread.has_ended = True
        except Blocked as blocked:
            thread.waiting = blocked
            thread.context = machine.context()
        finally:
            self._current = _MAIN
        machine.restore(before)

    @provides("pthread_once")
    def once(self) -> int:
        """Run a function unless it was run before."""
        self.machine.outside()
        control = self.machine.integer(0)
        if self.memory.u64(control) != 1:
            self.memory.set64(control, 1)
            self.machine.call(self.machine.integer(1))
        return 0

    @provides("pthread_key_create")
    def key_create(self) -> int:
        """Make a key under which each thread keeps a value."""
        self._key_count += 1
        self.memory.set64(self.machine.integer(0), self._key_count)
        return 0

    @provides("pthread_key_delete")
    def key_delete(self) -> int:
        """Forget a key and its values."""
        key = self.machine.integer(0)
        self._keys = {at: kept for at, kept in self._keys.items() if at[1] != key}
        return 0

    @provides("pthread_getspecific")
    def getspecific(self) -> int:
        """Return the thread's value."""
        return self._keys.get((self._current, self.machine.integer(0)), 0)

    @provides("pthread_setspecific")
    def setspecific(self) -> int:
        """Keep the thread's value."""
        self._keys[self._current, self.machine.integer(0)] = self.machine.integer(1)
        return 0

    @provides("_tlv_bootstrap")
    def thread_variable(self) -> int:
        """Return where a thread-local variable is: {thunk, key, offset} tells."""
        descriptor = self.machine.integer(0)
        if self._current not in self._locals:
            low, size = self.machine.image.thread_template()
            block = self.memory.allocate(size, 64)
            self.memory.write(block, self.memory.read(BASE + low, size))
            self._locals[self._current] = block
        return self._locals[self._current] + self.memory.u64(descriptor + 16)
