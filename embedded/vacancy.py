"""Whether the ports that must be ours are free, asked before anything is started."""

from __future__ import annotations

import socket

from schemas.errors import BadSetting
from schemas.settings import Settings


def check_ports(settings: Settings) -> None:
    """See that the ports of the API and of the worker's metrics are free.

    Raises:
        BadSetting: One is taken; names the setting that chooses another.
    """
    _check("PORT", settings.host, settings.port, other="`governance up --port N`")
    if settings.worker_metrics_port:
        place = (settings.worker_host, settings.worker_metrics_port)
        _check("GOVERNANCE_WORKER_METRICS_PORT", *place, other="0 for any")


def is_free(host: str, port: int) -> bool:
    """Tell whether *port* of *host* can be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError:
        return False
    return True


def _check(setting: str, host: str, port: int, *, other: str) -> None:
    if not is_free(host, port):
        raise BadSetting(
            setting,
            f"port {port} on {host} is taken (`lsof -i :{port}` says by whom); "
            f"set another ({other})",
        )
