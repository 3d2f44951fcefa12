"""Reads os-release, and says which family of targets a distribution is kin to.

os-release is decoration: it never says whether a target fits. Its kinship is asked only
when two targets fit a process equally well.
"""

from __future__ import annotations

from engineroom.platforms.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.platforms.facts import Facts
    from engineroom.platforms.machine import Files

__all__ = ["OS_RELEASE", "distribution", "kin_family", "read_fields"]

# The first one is the administrator's; os-release(5).
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
FIELDS = ("ID", "ID_LIKE", "VERSION_ID")

# Distributions by the family of targets that is made for them. Those that name a
# relative in ID_LIKE need no entry; these name none, or are the relatives themselves.
KIN = {
    "debian-openssl-3": (
        "debian", "ubuntu", "raspbian", "linuxmint", "devuan", "kali", "pop",
        "elementary", "pureos", "deepin", "tails",
    ),
    "rhel": (
        "rhel", "fedora", "centos", "amzn", "ol", "almalinux", "rocky", "scientific",
        "cloudlinux", "virtuozzo", "azurelinux", "mariner", "photon", "openeuler",
        "anolis", "alinux", "opencloudos", "tencentos", "eurolinux", "miraclelinux",
        "circle", "nobara", "asahi-linux", "suse", "opensuse", "opensuse-leap",
        "opensuse-tumbleweed", "opensuse-microos", "sles", "sles_sap", "sled",
        "sl-micro", "mageia", "openmandriva",
    ),
}  # fmt: skip


def read_fields(text: str) -> dict[str, str]:
    """Return the fields of an os-release, which is a list of shell assignments."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        fields[name.strip()] = value
    return fields


def distribution(files: Files, system: str) -> dict[str, Fact]:
    """Return the four facts about the distribution, by name.

    A file that names neither the distribution nor its kind does not hide the other.
    """
    why = f"not looked for on {system}"
    if system == "linux":
        why = "no os-release file tells"
        for path in OS_RELEASE:
            try:
                fields = read_fields(files.text(path))
            except OSError:
                continue
            name = fields.get("PRETTY_NAME") or fields.get("NAME") or fields.get("ID")
            if name:
                return {
                    "distribution": Fact(name, path),
                    "distribution_id": _field(fields, "ID", path),
                    "distribution_like": _field(fields, "ID_LIKE", path),
                    "distribution_version": _field(fields, "VERSION_ID", path),
                }
    names = ("", "_id", "_like", "_version")
    return {f"distribution{name}": Fact(None, why) for name in names}


def _field(fields: dict[str, str], name: str, path: str) -> Fact:
    value = fields.get(name, "").lower()
    return Fact(value, path) if value else Fact(None, f"{path} has no {name}")


def kin_family(facts: Facts) -> str:
    """Return the family of targets made for such distributions, or empty."""
    likes = str(facts.distribution_like.value or "").split()
    for name in (str(facts.distribution_id.value or ""), *likes):
        for family, kin in KIN.items():
            if name in kin:
                return family
    return ""
