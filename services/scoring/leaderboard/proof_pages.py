"""`/proof`: what anybody needs to convince themselves that rules, journal and board are what was published."""

from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from services.runtime.access.rules import everybody
from services.runtime.mongo import Collection
from services.runtime.web.site import Site
from services.scoring.leaderboard.audience import Audience
from services.scoring.leaderboard.proof import fingerprint, rules_hash, seal_json

SEALS_SHOWN = 60


def add_proof(
    router: APIRouter,
    audience: Audience[Any],
    site: Site,
    seals: Collection,
    key: Ed25519PublicKey,
) -> None:
    """`/proof`, `/proof.json`, `/proof/verifying.pem`."""
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    async def links() -> list[dict[str, Any]]:
        found = await seals.find().sort("_id", -1).to_list(SEALS_SHOWN)
        return [seal_json(one) for one in found]

    @router.get("/proof", openapi_extra=everybody())
    async def proof_page(request: Request) -> HTMLResponse:
        """Rules and their hash, the chain over the journal, the key of the signed copy."""
        plans = [(plan, rules_hash(plan)) for plan in audience.public.plans()]
        return site.page(
            request,
            "proof.html",
            plans=plans,
            links=[one | {"day": date.fromisoformat(one["day"])} for one in await links()],
            fingerprint=fingerprint(key),
        )

    @router.get("/proof.json", openapi_extra=everybody())
    async def proof() -> JSONResponse:
        """The same for programs."""
        plans = audience.public.plans()
        return JSONResponse(
            {
                "plans": [
                    {"id": p.id, "version": p.version, "sha256": rules_hash(p)} for p in plans
                ],
                "log": await links(),
                "key": fingerprint(key),
            }
        )

    @router.get("/proof/verifying.pem", openapi_extra=everybody())
    async def verifying_key() -> Response:
        """The public key with which a signed copy is verified."""
        return Response(pem, media_type="application/x-pem-file")
