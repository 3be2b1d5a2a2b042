"""What a small HTML form sent, and a visitor's device in a few words."""

from urllib.parse import parse_qs

from fastapi import HTTPException, Request

from services.runtime.access.application import Visitor

MOST_BYTES = 64_000
MOST_FIELDS = 2_000
_BROWSERS = (
    ("Edg", "Edge"),
    ("coc_coc", "Cốc Cốc"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """The fields of a form without files; its routes take no more than `MOST_BYTES`.

    Raises:
        HTTPException: 422, it is no form.
    """
    try:
        text = (await request.body()).decode("utf-8")
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(422) from None


def field(form: Form, name: str) -> str:
    """One field; empty when it was not sent."""
    return form.get(name, [""])[0]


def visitor_of(request: Request) -> Visitor:
    """From where a request comes."""
    address = request.client.host if request.client else ""
    agent = request.headers.get("user-agent", "")
    words = [
        next((name for sign, name in known if sign in agent), "")
        for known in (_BROWSERS, _SYSTEMS)
    ]
    return Visitor(address, ", ".join(filter(None, words)))
