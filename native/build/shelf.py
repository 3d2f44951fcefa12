"""What a wheel carries besides Python: engines, the manifest that lists them, the SBOM.

Decides which targets share a wheel, and writes the texts; hatch_hook.py puts them into
wheels. A text depends on the engines and the pinned sources alone, never on the time,
so that the same input gives the same wheel.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import select_targets
from engineroom.platforms.target import EVERY, NATIVE
from engineroom.version import __version__
from native.build.cache import text_sha256
from native.build.errors import WheelsMixed
from native.build.settings import BUILD_TARGETS
from native.build.tls import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engineroom.platforms.target import Target
    from native.build.engine import Engine
    from native.build.pins import Source

__all__ = [
    "Shelved",
    "bill_of_materials",
    "linked_sources",
    "manifest_text",
    "shelve",
    "wheel_groups",
    "wheel_tag",
    "wheel_targets",
]

NO_TARGETS = "none"
# Names in the SBOM must be the same whenever it is made; this is their namespace.
_NAMESPACE = uuid.UUID("b6f1f1d4-55f4-5b0e-9a3e-6a1f0c0e54a7")


def wheel_targets(environ: Mapping[str, str] = os.environ) -> tuple[Target, ...]:
    """Return the targets whose engines the wheel is to carry; none for a pure one.

    They are those that the setting names, or those that fit this machine; and with each
    all others of the same wheel, because pip cannot tell them apart.

    Raises:
        UnknownTarget: the setting names none of ours.
        NoNativeTarget: nothing is set, and no target fits this machine.
        WheelsMixed: the setting names targets that do not share a wheel.
    """
    named = environ.get(BUILD_TARGETS) or NATIVE[0]
    wheels = wheel_groups(named.replace(",", " ").split())
    if len(wheels) != 1:
        raise WheelsMixed(
            [(wheel_tag(targets), [t.id for t in targets]) for targets in wheels]
        )
    return wheels[0]


def wheel_groups(names: Sequence[str]) -> tuple[tuple[Target, ...], ...]:
    """Return the targets of each wheel that carries any of those named.

    Args:
        names: targets, families or aliases; `none` is the wheel without engines, and
            `all` is every wheel there is.

    Raises:
        UnknownTarget: a name is none of ours.
        NoNativeTarget: `native`, where no target fits this machine.
    """
    named = [name for name in names if name != NO_TARGETS]
    tags = dict.fromkeys(target.wheel_tag for target in select_targets(named))
    pure = [()] if NO_TARGETS in names or EVERY in names else []
    return (
        *(tuple(t for t in TARGETS if t.wheel_tag == tag) for tag in tags),
        *pure,
    )


def wheel_tag(targets: Sequence[Target]) -> str:
    """Return the tag of the wheel that carries the engines of these targets."""
    if not targets:
        return "py3-none-any"
    return f"cp39-abi3-{targets[0].wheel_tag}"


@dataclass(frozen=True)
class Shelved:
    """An engine with its place below the folder `engines`.

    Attributes:
        engine: the engine.
        file: where it lies; the same for engines that are the same bytes.
    """

    engine: Engine
    file: str


def shelve(engines: Iterable[Engine]) -> tuple[Shelved, ...]:
    """Give each engine its place; equal bytes are stored once, under the first."""
    places: dict[tuple[str, str], str] = {}
    shelved: list[Shelved] = []
    for engine in engines:
        own = f"{engine.target}/{engine.path.name}"
        place = places.setdefault((engine.path.name, engine.sha256), own)
        shelved.append(Shelved(engine, place))
    return tuple(shelved)


def manifest_text(shelved: Iterable[Shelved]) -> str:
    """Return the manifest: what the loader may trust an engine to be."""
    lines = [
        f"# engineroom engines, format 1, package {__version__}",
        "target,backend,file,size_bytes,crc32,sha256,build_id",
    ]
    for item in shelved:
        engine = item.engine
        lines.append(
            f"{engine.target},{engine.backend},{item.file},{engine.size_bytes},"
            f"{engine.crc32},{engine.sha256},{engine.build_id}"
        )
    return "\n".join(lines) + "\n"


def bill_of_materials(
    shelved: Sequence[Shelved], sources: Iterable[Source], tools: Mapping[str, str]
) -> str:
    """Return the SBOM of a wheel: CycloneDX in JSON, for PEP 770.

    Args:
        shelved: the engines in the wheel.
        sources: what is linked into them.
        tools: what made them: names and versions.
    """
    engines = {item.file: item.engine.sha256 for item in shelved}
    package = f"pkg:pypi/engineroom@{__version__}"
    parts = [_component(source) for source in sources]
    seed = text_sha256(
        __version__, *(part for pair in engines.items() for part in pair)
    )
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, seed)}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": name, "version": version}
                    for name, version in sorted(tools.items())
                ]
            },
            "component": {
                "type": "library",
                "bom-ref": package,
                "name": "engineroom",
                "version": __version__,
                "purl": package,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "components": [
                    {
                        "type": "file",
                        "bom-ref": f"engineroom/engines/{file}",
                        "name": f"engineroom/engines/{file}",
                        "hashes": [{"alg": "SHA-256", "content": sha256}],
                    }
                    for file, sha256 in engines.items()
                ],
            },
        },
        "components": parts,
        "dependencies": [
            {"ref": package, "dependsOn": [part["bom-ref"] for part in parts]},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def linked_sources(
    sources: Iterable[Source], shelved: Iterable[Shelved]
) -> tuple[Source, ...]:
    """Return the sources whose code is in engines.

    OpenSSL is in those for macOS only: the others take the one that is there.
    """
    targets = {item.engine.target for item in shelved}
    is_built_in = any(
        target.id in targets and target.tls == BUILT_IN for target in TARGETS
    )
    return tuple(
        source
        for source in sources
        if source.is_linked and (source.name != "openssl" or is_built_in)
    )


def _component(source: Source) -> dict[str, Any]:
    address = f"pkg:generic/{source.name}@{source.version}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": source.name,
        "version": source.version,
        "purl": address,
        "licenses": [{"license": {"id": source.license}}],
        "externalReferences": [{"type": "website", "url": source.homepage}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{address}#{pin.name}",
                "name": pin.name,
                "hashes": [{"alg": "SHA-256", "content": pin.sha256}],
            }
            for pin in source.files
        ],
    }
