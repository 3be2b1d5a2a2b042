"""Static files under an address that names their content, so that browsers may keep them for a year."""

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request, Response

_YEAR = "public, max-age=31536000, immutable"
_SHORT = "no-cache"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class Assets:
    """The files of one folder, read once; `/static/<area>/<version>/<name>`.

    The version is a hash over all of them: modules of one folder import each other by relative
    address and so stay together.
    """

    def __init__(self, area: str, folder: Path) -> None:
        self.area = area
        self.files = {f.name: f.read_bytes() for f in sorted(folder.iterdir()) if f.is_file()}
        digest = hashlib.sha256()
        for name, content in self.files.items():
            digest.update(name.encode() + b"\0" + content)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.area}/{self.version}/{name}"

    def router(self) -> APIRouter:
        """The route that serves them; an old version gets today's file, but may not keep it."""
        router = APIRouter(include_in_schema=False)

        @router.get(f"/static/{self.area}/{{version}}/{{name}}")
        async def static_file(request: Request, version: str, name: str) -> Response:
            """One static file."""
            return self._answer(request, version, name)

        return router

    def _answer(self, request: Request, version: str, name: str) -> Response:
        content = self.files.get(name)
        if content is None:
            return Response(status_code=404)
        headers = {
            "Cache-Control": _YEAR if version == self.version else _SHORT,
            "ETag": f'"{self.version}"',
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_media_type(name))


def _media_type(name: str) -> str:
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _TYPES.get(Path(name).suffix, guessed)
