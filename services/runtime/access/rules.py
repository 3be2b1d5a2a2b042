"""Who may use an operation, said where its route is declared: `openapi_extra=access(Role.REVIEWER)`.

The rule stands in the OpenAPI document as `x-roles` and is compared with what the application answers by a test that
finds every route by itself; a route without a rule fails it. The rule only says; what refuses is the guard.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts

from services.runtime.auth import Role

ROLES = "x-roles"
UNIT = "x-unit"
EVERYBODY = "everybody"
SIGNED_IN = "signed-in"


def access(*roles: Role, unit: str | None = None) -> dict[str, Any]:
    """Only these roles, and administrators. `unit`: the parameter that names a unit, whose own people it is for."""
    return {ROLES: [str(role) for role in roles]} | ({UNIT: unit} if unit else {})


def everybody() -> dict[str, Any]:
    """Without sign-in."""
    return {ROLES: [EVERYBODY]}


def signed_in() -> dict[str, Any]:
    """Whoever is somebody, whatever their roles."""
    return {ROLES: [SIGNED_IN]}


def all_of(router: APIRouter, rule: dict[str, Any]) -> APIRouter:
    """The same router, with the rule for each of its routes that has none of its own."""
    for context in iter_route_contexts(router.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            extra = route.openapi_extra or {}
            route.openapi_extra = extra if ROLES in extra else extra | rule
    return router
