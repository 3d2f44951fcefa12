"""What mends a failure to load: one line, to be pasted where it can be.

Which command brings an engine back hangs on who brought it: pip into the package,
`engineroom fetch` into any other folder, or a person with a setting.
"""

from __future__ import annotations

import os

from engineroom.loader.find import MANIFEST, PACKAGE_SHELF
from engineroom.platforms.mounts import mount_of
from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.loader.settings import Overrides
    from engineroom.platforms.facts import Facts

__all__ = ["DOCTOR", "bring_back", "noexec_remedy", "openssl_package", "reinstall"]

DOCTOR = "; for the evidence run `engineroom doctor`"
# The folder that the package is installed in.
SITE = os.path.dirname(os.path.dirname(PACKAGE_SHELF))

# How each family of distributions gets OpenSSL.
OPENSSL_PACKAGES = (
    (("alpine", "wolfi", "chainguard"), "apk add libssl3 libcrypto3"),
    (("debian", "ubuntu"), "apt-get install libssl3"),
    (("rhel", "fedora", "centos", "amzn", "azurelinux"), "dnf install openssl-libs"),
    (("suse", "opensuse", "sles"), "zypper install libopenssl3"),
    (("arch",), "pacman -S openssl"),
)
# The folders from an engine up to that of its manifest.
_LEVELS = 3


def reinstall(package: str = f"engineroom=={__version__}", site: str = SITE) -> str:
    """Return the command that installs a package again, by whoever installed ours.

    Args:
        package: what to install.
        site: the folder that engineroom is installed in.
    """
    noted = os.path.join(site, f"engineroom-{__version__}.dist-info", "INSTALLER")
    try:
        with open(noted, encoding="utf-8") as file:
            installer = file.read().strip()
    except (OSError, UnicodeDecodeError):
        installer = ""
    if installer == "uv":  # which makes environments without pip
        return f"uv pip install --reinstall {package}"
    return f"python -m pip install --force-reinstall {package}"


def bring_back(
    path: str, target: str, overrides: Overrides, package_shelf: str = PACKAGE_SHELF
) -> str:
    """Return what brings an engine back whose file is not what it should be.

    Args:
        path: the engine's file, or the folder of engines.
        target: the target it is for, or empty.
        overrides: the settings in force.
        package_shelf: the package's own folder of engines.
    """
    if overrides.file:
        return f"correct or unset {overrides.in_force[0][0]}"
    if not overrides.folder and path.startswith(os.path.join(package_shelf, "")):
        return reinstall()
    import shlex

    into = shlex.quote(overrides.folder or _folder_of(path))
    return f"engineroom fetch --target {target or 'native'} --into {into}"


def _folder_of(path: str) -> str:
    """Return the folder whose manifest lists the engine, or the one it lies in."""
    nearest = folder = path if os.path.isdir(path) else os.path.dirname(path)
    for _ in range(_LEVELS):
        if os.path.exists(os.path.join(folder, MANIFEST)):
            return folder
        folder = os.path.dirname(folder)
    return nearest


def openssl_package(facts: Facts) -> str:
    """Return the command that installs OpenSSL on this distribution."""
    kin = (
        str(facts.distribution_id.value or ""),
        *str(facts.distribution_like.value or "").split(),
    )
    for names, command in OPENSSL_PACKAGES:
        if any(name in names for name in kin):
            return command
    return "install OpenSSL 3, with libssl.so.3 and libcrypto.so.3, from your system"


def noexec_remedy(path: str, engine: str, overrides: Overrides) -> tuple[str, str]:
    """Say whether a file's mount is why it may not be loaded, and what helps then.

    Args:
        path: the file that was refused: the engine, or cffi's library.
        engine: the engine's file.
        overrides: the settings in force.

    Returns:
        The mount point and the remedy; both are empty if the mount allows it.
    """
    mount = mount_of(path)
    if mount is None or not mount.is_noexec:
        return "", ""
    import shlex

    remount = f"mount -o remount,exec {shlex.quote(mount.point)}"
    if path != engine:
        return mount.point, f"{remount}; or install engineroom and cffi on another one"
    if overrides.file:
        name = overrides.in_force[0][0]
        return mount.point, f"{remount}; or name a file on another one with {name}"
    return mount.point, (
        f"{remount}; or copy {_folder_of(engine)} to another one and set"
        " ENGINEROOM_ENGINE_DIR to the copy"
    )
