"""Signed copies of a package's documents: brought back, checked, shown beside the package."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from services.reports.application import NoSuchPackageError
from services.reports.http import FILE_HEADERS, MEDIA, STEPS, WHO_SEES
from services.reports.pages import Desk, address
from services.reports.refusals import refusal
from services.runtime.access.rules import access

MOST_BYTES = 5 << 20
_AROUND = 4_096
"""Bytes of a form around its file."""


def signed_pages(desk: Desk) -> APIRouter:
    """The routes below `/packages/{key}/signed`."""
    router = APIRouter(prefix="/packages/{key}/signed", include_in_schema=False)

    @router.post("", openapi_extra=access(*STEPS["publish"]))
    async def bring(request: Request, key: str) -> Response:
        """Check a signed copy and keep it."""
        who = await desk.guard.require(request, *STEPS["publish"])
        size = int(request.headers.get("content-length") or MOST_BYTES + _AROUND + 1)
        if size > MOST_BYTES + _AROUND:
            return await desk.package_page(request, key, refusal("too_large"))
        async with request.form(max_files=1, max_fields=2) as form:
            document, file = str(form.get("document", "")), form.get("file")
            content = await file.read() if isinstance(file, UploadFile) else b""
        work = desk.office.add_signed(key, who.subject, document, content)
        return await desk.doing(request, key, work, f"{address(key)}#signed")

    @router.get("/{document:path}", openapi_extra=access(*WHO_SEES))
    async def signed_copy(request: Request, key: str, document: str) -> Response:
        """One of them, to save."""
        await desk.guard.require(request, *WHO_SEES)
        packages = desk.office.packages
        package = await packages.get(key)
        content = await packages.store.signed_file(key, package.build.done, document)
        if content is None:
            raise NoSuchPackageError(document)
        saved = f'attachment; filename="{document.rpartition("/")[2]}-ky-so.pdf"'
        headers = {**FILE_HEADERS, "Content-Disposition": saved}
        return Response(content, media_type=MEDIA[".pdf"], headers=headers)

    return router
