"""Root folders of systems, made of small files with real headers.

A program here has the ELF header and the interpreter that the program of such a system
has, and nothing to run: what reads a root starts nothing.
"""

from __future__ import annotations

import struct

MACHINES = {"x86": 3, "arm": 40, "x86_64": 62, "arm64": 183, "riscv": 243}
GLIBC = {
    "x86_64": "/lib64/ld-linux-x86-64.so.2",
    "arm64": "/lib/ld-linux-aarch64.so.1",
    "x86": "/lib/ld-linux.so.2",
}
MUSL = {
    "x86_64": "/lib/ld-musl-x86_64.so.1",
    "arm64": "/lib/ld-musl-aarch64.so.1",
}
DEBIAN_FOLDER = {
    "x86_64": "/usr/lib/x86_64-linux-gnu",
    "arm64": "/usr/lib/aarch64-linux-gnu",
    "x86": "/usr/lib/i386-linux-gnu",
}
BANNER = "GNU C Library (Debian GLIBC {0}-13) stable release version {0}.\n"


def elf(cpu, interpreter="", *, bits=64, kind=2, text=b""):
    """Return the bytes of an ELF file that names an interpreter."""
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    path = interpreter.encode() + b"\x00" if interpreter else b""
    start, entry = (64, 56) if bits == 64 else (52, 32)
    count = 1 if path else 0
    where = start + entry * count
    head = ident + struct.pack(
        "<HHIQQQIHHHHHH" if bits == 64 else "<HHIIIIIHHHHHH",
        kind, MACHINES[cpu], 1, 0, start, 0, 0, start, entry, count, 0, 0, 0,
    )  # fmt: skip
    if not path:
        return head + text
    if bits == 64:
        fields = ("<IIQQQQQQ", 3, 4, where, where, 0, len(path), len(path), 1)
    else:
        fields = ("<IIIIIIII", 3, where, where, 0, len(path), len(path), 4, 1)
    return head + struct.pack(*fields) + path + text


class System:
    """A root folder that is being filled."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def place(self, path):
        """Return where a file goes; its folder is made, and lies within the root."""
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        # A link such as /lib64 -> /usr/lib64 leads out of here for this process.
        assert file.parent.resolve().is_relative_to(self.folder.resolve()), path
        return file

    def write(self, path, data):
        """Write a file."""
        self.place(path).write_bytes(data if isinstance(data, bytes) else data.encode())
        return self

    def link(self, path, target):
        """Make a symbolic link."""
        self.place(path).symlink_to(target)
        return self

    def debian(self, version, openssl, *, cpu="x86_64", python="3.11", name="debian"):
        """Fill it as Debian does: links in place of /lib, Python in /usr/bin."""
        bits = 32 if cpu == "x86" else 64
        folder = DEBIAN_FOLDER[cpu]
        self.link("/lib", "usr/lib").link("/bin", "usr/bin")
        (self.folder / "usr/lib").mkdir(parents=True)
        (self.folder / "usr/bin").mkdir()
        loader = GLIBC[cpu].rpartition("/")[2]
        self.write(f"{folder}/{loader}", elf(cpu, bits=bits, kind=3))
        self.link(f"/usr{GLIBC[cpu]}", f"{folder}/{loader}")
        self.link("/lib64", "/usr/lib64")
        libc = elf(cpu, bits=bits, kind=3, text=BANNER.format(version).encode())
        self.write(f"{folder}/libc.so.6", libc)
        if openssl:
            self.write(f"{folder}/libssl.so.{openssl}", elf(cpu, bits=bits, kind=3))
        self.write("/usr/lib/os-release", f"ID={name}\nNAME=Debian\n")
        self.link("/etc/os-release", "/usr/lib/os-release")
        self.write("/usr/bin/dash", elf(cpu, GLIBC[cpu], bits=bits))
        self.link("/usr/bin/sh", "dash")
        if python:
            self.write(f"/usr/bin/python{python}", elf(cpu, GLIBC[cpu], bits=bits))
            self.link("/usr/bin/python3", f"python{python}")
        return self

    def alpine(self, *, cpu="x86_64", version="1.2.5", openssl="3", python="3.12"):
        """Fill it as the Python images on Alpine are filled."""
        text = f"\x00{version}\x00".encode()
        self.write(MUSL[cpu], elf(cpu, kind=3, text=text))
        self.write(f"/lib/libssl.so.{openssl}", elf(cpu, kind=3))
        self.write("/etc/os-release", "ID=alpine\nNAME=Alpine\n")
        self.write("/bin/busybox", elf(cpu, MUSL[cpu]))
        self.link("/bin/sh", "/bin/busybox")
        if python:
            self.write(f"/usr/local/bin/python{python}", elf(cpu, MUSL[cpu]))
            self.link("/usr/local/bin/python3", f"/usr/local/bin/python{python}")
        return self
