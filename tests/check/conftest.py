"""Trees of real files: the eleven services, and whatever a test describes."""

from __future__ import annotations

import pytest

WITHOUT = ("base-svc", "gateway-manager", "my-wallet", "my-dashboard")
UNAFFECTED = (
    "capacity-planner", "community", "developer-api", "marketplace",
    "network-analytics", "orchestrator-manager", "plugin-publisher",
)  # fmt: skip
DATASOURCE = """
datasource db {
  provider = "postgresql" // not a generator
  url      = env("DATABASE_URL")
}

/// A model with braces in a text: } and {
model User {
  id String @id @default(dbgenerated("gen_random_uuid() /* } */"))
}
"""
STANDARD = """\
generator client {
  provider      = "prisma-client-py"
  binaryTargets = [
    "native",               // the machine at hand
    "darwin-arm64",         // Apple silicon
    "darwin",               // Macs with Intel CPUs
    "linux-musl",           // Alpine
    "debian-openssl-3.0.x", // Debian 12
  ]
}
"""
ONE_LINE = """\
// The schema of a service.

generator client {
  provider      = "prisma-client-py"
  binaryTargets = ["native"]
}
"""
ABSENT = """\
generator client {
  provider = "prisma-client-js"
}
"""


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Write files below an empty working folder and return it."""
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return write


@pytest.fixture
def eleven(plant):
    """Eleven services: four with a schema that lacks darwin-arm64, seven without."""
    lacking = STANDARD.replace('    "darwin-arm64",         // Apple silicon\n', "")
    files = {}
    for name in WITHOUT:
        files[f"services/{name}/prisma/schema.prisma"] = lacking + DATASOURCE
    for name in (*WITHOUT, *UNAFFECTED):
        files[f"services/{name}/pyproject.toml"] = f'[project]\nname = "{name}"\n'
        files[f"services/{name}/Dockerfile"] = "FROM python:3.12-slim\n"
    return plant(**files)
