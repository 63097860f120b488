"""Routes of studies: start, cancel, resume (operators only), and the stream of news that every page follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse

from aurigrid.console.gate import problem
from aurigrid.console.jobs import Jobs
from aurigrid.console.listed import summary
from aurigrid.console.models import Job, News, Study
from aurigrid.console.routes import REFUSALS

router = APIRouter(responses=REFUSALS, tags=["studies"])

_EVERY = 0.5
"""Seconds between two looks at the runs and studies."""


def jobs_of(request: Request) -> Jobs:
    """The studies of this server."""
    jobs: Jobs = request.app.state.jobs
    return jobs


All = Annotated[Jobs, Depends(jobs_of)]


@router.get("/studies")
def studies(jobs: All) -> list[Job]:
    """Studies that this server started, the latest first."""
    return jobs.jobs()


@router.post("/studies", response_model=Job, status_code=201)
def start(request: Request, jobs: All, study: Study) -> Job | JSONResponse:
    """Start a study."""
    return _refused(request) or jobs.start(study)


@router.post("/studies/{id}/cancel", response_model=Job)
def cancel(request: Request, jobs: All, id: str) -> Job | JSONResponse:
    """End a study early; finished steps are kept."""
    return _refused(request, jobs, id) or jobs.cancel(id)


@router.post("/studies/{id}/resume", response_model=Job)
def resume(request: Request, jobs: All, id: str) -> Job | JSONResponse:
    """Continue a study that ended early."""
    return _refused(request, jobs, id) or jobs.resume(id)


def _refused(request: Request, jobs: Jobs | None = None, id: str = "") -> JSONResponse | None:
    if request.state.role != "operator":
        return problem(403, "a viewer starts no studies", "open the operator's link")
    if jobs is not None and id not in jobs.works:
        return problem(404, f"there is no study '{id}'")
    return None


@router.get("/events", response_class=StreamingResponse)
async def events(request: Request) -> StreamingResponse:
    """Runs and studies as they change: server-sent events, each a `News` object; the first one comes at once."""

    def look() -> str:
        library, jobs = request.app.state.library, request.app.state.jobs
        return News(runs=[summary(entry) for entry in library.entries()], jobs=jobs.jobs()).model_dump_json()

    async def stream() -> AsyncIterator[str]:
        last, silent = "", 0.0
        while not request.app.state.ending and not await request.is_disconnected():
            now = await run_in_threadpool(look)
            if now != last:
                yield f"data: {now}\n\n"
                last, silent = now, 0.0
            elif silent > 15:
                yield ": still here\n\n"
                silent = 0.0
            await asyncio.sleep(_EVERY)
            silent += _EVERY

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
