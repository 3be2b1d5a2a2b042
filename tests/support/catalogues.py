"""The messages that code and templates use, read as the translators' tools read them."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
METHODS = [
    ("**.py", "python"),
    ("**/templates/**.html", "jinja2"),
    ("**/templates/**.txt", "jinja2"),
]
KEYWORDS = {"_": None, "gettext": None, "plural": (1, 1)}
OPTIONS = {"jinja2": {"silent": "false"}}
FOLDERS = (
    "services/runtime/web",
    "services/runtime/access",
    "services/scoring/leaderboard",
    "services/intake/workspace",
    "services/reports",
    "services/notifier",
    "services/intake/portal",
)


def used(folder: str) -> Catalog:
    """Every message of a folder; a plural one under the pair of its two equal forms."""
    catalogue = Catalog()
    found = extract_from_dir(
        ROOT / folder, method_map=METHODS, options_map=OPTIONS, keywords=KEYWORDS
    )
    for name, line, message, _, _ in found:
        catalogue.add(message, locations=[(name, line)])
    return catalogue


def translated(folder: str, lang: str) -> Catalog:
    """The catalogue of a folder in one language."""
    path = ROOT / folder / "locale" / lang / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=lang)


def update(folder: str, lang: str) -> None:
    """Bring a catalogue up to date with the code: `python -m tests.support.catalogues`."""
    path = ROOT / folder / "locale" / lang / "LC_MESSAGES" / "messages.po"
    catalogue = translated(folder, lang)
    catalogue.update(used(folder), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with path.open("wb") as file:
        write_po(
            file,
            catalogue,
            width=110,
            sort_by_file=True,
            include_lineno=False,
            omit_header=False,
        )


if __name__ == "__main__":
    for place in FOLDERS:
        update(place, "en")
