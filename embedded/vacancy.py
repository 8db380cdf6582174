"""Whether the ports that must be ours are free, asked before anything is started."""

from __future__ import annotations

import errno

from schemas.errors import BadSetting
from schemas.interfaces import interface_of, listener_on
from schemas.settings import Settings


def check_ports(settings: Settings) -> None:
    """See that the ports of the API and of the worker's metrics are free.

    Raises:
        BadSetting: One is taken, or there is no such interface; names the setting to change.
    """
    _check(("HOST", "PORT"), settings.host, settings.port, other="`governance up --port N`")
    variables = ("GOVERNANCE_WORKER_HOST", "GOVERNANCE_WORKER_METRICS_PORT")
    # 0 is whatever is free: then it is asked whether there is such an interface.
    _check(variables, settings.worker_host, settings.worker_metrics_port, other="0 for any")


def is_free(host: str, port: int) -> bool:
    """Tell whether nobody listens on *port* of *host*.

    Raises:
        OSError: nobody ever can: this machine has no such interface, say.
    """
    try:
        listener_on(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise
    return True


def _check(variables: tuple[str, str], host: str, port: int, *, other: str) -> None:
    with interface_of(*variables, host, port):
        is_taken = not is_free(host, port)
    if is_taken:
        raise BadSetting(
            variables[1],
            f"port {port} on {host} is taken (`lsof -i :{port}` says by whom); "
            f"set another ({other})",
        )
