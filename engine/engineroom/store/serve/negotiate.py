"""Which form of a page an installer gets: HTML or JSON, as it is or compressed.

The rules are those of PEP 691 and of RFC 9110, section 12.5. Nothing here reads a
store.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMS", "HTML", "Form", "choose_form", "takes_gzip"]


@dataclass(frozen=True)
class Form:
    """One form of an index page.

    Attributes:
        media_type: its name in `Accept` and `?format=`.
        content_type: what is said of the bytes.
        is_json: which of the two stored pages it is.
        mark: a letter that keeps the entity tags of two forms apart.
    """

    media_type: str
    content_type: str
    is_json: bool
    mark: str


HTML = Form("text/html", "text/html; charset=utf-8", is_json=False, mark="h")
_HTML_V1 = "application/vnd.pypi.simple.v1+html"
_JSON_V1 = "application/vnd.pypi.simple.v1+json"

# Where a client likes two equally, the first one wins: for `*/*` PEP 691 wants HTML.
FORMS = (
    HTML,
    Form(_JSON_V1, _JSON_V1, is_json=True, mark="j"),
    Form(_HTML_V1, f"{_HTML_V1}; charset=utf-8", is_json=False, mark="v"),
)
_LATEST = {
    "application/vnd.pypi.simple.latest+json": _JSON_V1,
    "application/vnd.pypi.simple.latest+html": _HTML_V1,
}


def choose_form(
    accept: str | None, asked: str | None, forms: tuple[Form, ...] = FORMS
) -> Form | None:
    """Choose the form for a request; None when there is none that it takes.

    Args:
        accept: the `Accept` header, or None when there is none.
        asked: the value of `?format=`, which goes before the header.
        forms: what is on offer.
    """
    if asked is not None:
        asked = _LATEST.get(asked, asked)
        return next((form for form in forms if form.media_type == asked), None)
    if accept is None or not accept.strip():
        return forms[0]
    qualities = _qualities(accept)
    for latest, media_type in _LATEST.items():
        if latest in qualities:
            qualities.setdefault(media_type, qualities[latest])
    liked = {form: _quality(form.media_type, qualities) for form in forms}
    best = max(forms, key=lambda form: liked[form])
    return best if liked[best] > 0 else None


def takes_gzip(accept_encoding: str | None) -> bool:
    """Tell whether a client takes gzip, and likes it no less than plain bytes."""
    qualities = _qualities(accept_encoding or "")
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _quality(media_type: str, qualities: dict[str, float]) -> float:
    """Give the weight of the most exact range that a type falls in."""
    major = media_type.partition("/")[0]
    for kind in (media_type, f"{major}/*", "*/*"):
        if kind in qualities:
            return qualities[kind]
    return 0.0


def _qualities(header: str) -> dict[str, float]:
    """Read a list with weights; what is malformed is passed over."""
    qualities: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        if name and weight >= 0:
            qualities[name] = weight
    return qualities


def _weight(text: str) -> float:
    """Read a weight of at most three decimals; give -1 for what is none."""
    whole, _, rest = text.partition(".")
    is_weight = (
        whole in ("0", "1") and len(rest) <= 3 and (not rest or rest.isdecimal())
    )
    if not (is_weight and text.isascii()):
        return -1.0
    return min(float(text), 1.0)
