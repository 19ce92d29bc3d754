"""How the server is: `/health` (it lives), `/ready` (it translates), `/metrics` (what it did).

For load balancers, Prometheus and people; `app` mounts it.
"""

__all__ = ["health_routes"]

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from heedful.serve.metrics import Metrics
from heedful.serve.models import Models
from heedful.serve.native import key_of
from heedful.serve.security import Access


def health_routes(
    models: Models, metrics: Metrics, access: Access, draining: Callable[[], bool]
) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the server lives."""
        return {"status": "ok"}

    @router.get("/ready", responses={503: {"description": "Requests are refused"}})
    async def ready() -> JSONResponse:
        """Tell whether requests are taken: every model has shown that it works.

        Models that could not be loaded are named; the others serve.
        """
        stopping = draining()
        state = {
            name: "ready" if served.ready else "not ready" for name, served in models.served.items()
        }
        answers = models.ready and not stopping
        told = {"ready": answers, "stopping": stopping, "models": state}
        return JSONResponse(
            told | {"missing": list(models.missing)}, status_code=200 if answers else 503
        )

    @router.get("/metrics", response_class=Response)
    async def counted(request: Request) -> Response:
        """Return what was counted, as Prometheus reads it."""
        access.check_key(key_of(request))
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
