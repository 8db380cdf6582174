"""How the service is, for people, for probes and for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from api.asking import AskService
from api.openapi import Responses
from api.shapes import HealthReport, Readiness
from api.vitals import health_report, readiness
from governance.health import Health, Role

router = APIRouter(tags=["Health"])

StandbyOk = Annotated[str, Query(description="`ok`: a standby that is well is ready, too.")]


@router.get("/health")
def show_health(request: Request, service: AskService) -> HealthReport:
    """Say whether all is well, with the reasons when it is not.

    The status code is 200 for as long as the process answers: it must not be taken out of
    service while autonomy may have to be lowered. A standby is as healthy as its parts; `role`
    says that it is one, and `active` where the active service is.
    """
    return health_report(service, request.app.state.started)


@router.get(
    "/ready",
    response_model_exclude_none=True,
    responses={503: {"model": Readiness, "description": "A part is down, or this is a standby"}},
)
def show_readiness(
    request: Request, service: AskService, answer: Response, standby: StandbyOk = ""
) -> Readiness:
    """Show every part that the service stands on; 503 while one of them is down.

    A standby answers 503 too, so that a load balancer sends everybody to the active service; with
    `?standby=ok` it answers 200 while it is ready to take over.
    """
    report = readiness(service, request.app.state.started)
    passed_over = report.role is Role.STANDBY and standby != "ok"
    if report.status is Health.UNHEALTHY or passed_over:
        answer.status_code = 503
    return report


TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses=TEXT)
def show_prometheus_metrics(request: Request, service: AskService) -> Response:
    """Give all metrics to Prometheus, in its text format.

    That it asked is noted: monitoring counts towards readiness while it does.
    """
    service.desk.scrapes.note(service.desk.clock())
    text = generate_latest(request.app.state.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
