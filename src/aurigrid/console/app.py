"""The API: routes, and how errors are answered. The gate before it is `aurigrid.console.gate.Gate`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from aurigrid import __version__
from aurigrid.console.gate import problem
from aurigrid.console.jobs import BusyError, Jobs
from aurigrid.console.library import Library
from aurigrid.console.listed import issues_of
from aurigrid.console.routes import router as run_routes
from aurigrid.console.studies import router as study_routes
from aurigrid.console.tables import router as table_routes
from aurigrid.errors import InputError, MissingExtraError
from aurigrid.store import StoreError


def create_api(library: Library, jobs: Jobs) -> FastAPI:
    """The console's API.

    Args:
        library: the runs on show.
        jobs: the studies that the page may start.
    """
    app = FastAPI(
        title="Aurigrid console",
        version=__version__,
        description="Stored runs of Aurigrid, read-only, and the studies that the page starts.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.library, app.state.jobs, app.state.ending = library, jobs, False
    for router in (run_routes, table_routes, study_routes):
        app.include_router(router, prefix="/api")
    _answer_errors(app)
    return app


def _answer_errors(app: FastAPI) -> None:
    """Errors made on purpose become messages; what is unforeseen says only that it is."""

    @app.exception_handler(InputError)
    def bad_input(_: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"issues": [vars(issue) for issue in issues_of(error)]}, status_code=400)

    @app.exception_handler(BusyError)
    def busy(_: Request, error: BusyError) -> JSONResponse:
        return problem(409, str(error))

    @app.exception_handler(KeyError)
    def missing(_: Request, error: KeyError) -> JSONResponse:
        return problem(404, f"there is no {error.args[0] if error.args else ''}")

    @app.exception_handler(StoreError)
    @app.exception_handler(MissingExtraError)
    def failed(_: Request, error: Exception) -> JSONResponse:
        return problem(500, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        issues: list[dict[str, Any]] = []
        for found in error.errors():
            place = [str(p) for p in found["loc"]]
            issues.append({"where": place[0], "field": ".".join(place[1:]), "message": found["msg"], "hint": ""})
        return JSONResponse({"issues": issues}, status_code=422)
