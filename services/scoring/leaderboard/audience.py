"""Who looks: the public sees what is published, staff see what is live, also while the public board is frozen."""

from typing import Generic, TypeVar

from fastapi import Request
from pymongo.errors import PyMongoError

from services.runtime.access.guard import Guard
from services.runtime.auth import AuthError, Principal, Role, TokenMissingError
from services.scoring.leaderboard.views import BoardSource

STAFF = (Role.REVIEWER, Role.OBSERVER, Role.LEADER, Role.ADMIN)
"""They see the live board while it is frozen for everybody else."""
COUNTING = (*STAFF, Role.OFFICER, Role.HEAD)
"""They see what is declared, verified and waiting, column by column."""

S = TypeVar("S", bound=BoardSource)


def visitor_of(request: Request) -> str:
    """The address that asks; empty when nobody knows it."""
    return request.client.host if request.client else ""


class Audience(Generic[S]):
    """Gives each request the boards that it may see."""

    def __init__(
        self, live: S, public: BoardSource | None = None, guard: Guard | None = None
    ) -> None:
        self.live = live
        self.public: BoardSource = public or live
        self._guard = guard

    async def principal(self, request: Request) -> Principal | None:
        """Who asks; None: anybody, also somebody whose session is no longer good or cannot be looked up."""
        if self._guard is None:
            return None
        try:
            return await self._guard.principal(request)
        except (AuthError, PyMongoError):
            return None

    async def source(self, request: Request) -> BoardSource:
        """What they may read from."""
        principal = await self.principal(request)
        return self.live if principal is not None and principal.has(*STAFF) else self.public

    async def may_go_on(self, request: Request) -> bool:
        """Whether a stream of the live board, opened by staff, goes on; who cannot be looked up now keeps it."""
        try:
            return (await self.require(request, *STAFF)) is not None
        except AuthError:
            return False
        except PyMongoError:
            return True

    async def require(self, request: Request, *roles: Role) -> Principal:
        """Who asks, if they have one of the roles.

        Raises:
            AuthError: the request must be refused.
        """
        if self._guard is None:
            raise TokenMissingError
        return await self._guard.require(request, *roles)
