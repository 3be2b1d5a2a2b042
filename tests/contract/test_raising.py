"""An exception that is raised keeps every frame that it went through: one that is shared would grow for ever."""

import ast
from pathlib import Path

import services

FOLDER = Path(services.__file__).parent


def shared_in(source: str) -> list[int]:
    """Lines on which a constant is raised."""
    raised = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise))
    return [
        one.lineno for one in raised if isinstance(one.exc, ast.Name) and one.exc.id.isupper()
    ]


def test_no_exception_is_shared() -> None:
    found = {
        f"{path.relative_to(FOLDER)}:{line}"
        for path in FOLDER.rglob("*.py")
        for line in shared_in(path.read_text("utf-8"))
    }
    assert found == set()


def test_a_shared_one_would_be_found() -> None:
    assert shared_in("BUSY = OSError()\n\ndef refuse():\n    raise BUSY\n") == [4]
