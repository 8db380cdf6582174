"""What we ship to run the product elsewhere agrees with the product and with itself."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from configparser import ConfigParser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from api.server import END
from embedded.exits import HOPELESS
from schemas.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = {"kafka", "postgres", "worker", "api", "prometheus", "grafana"}
ALERTS = {
    "ReadinessScoreDropped",
    "HighCommandErrorRate",
    "CircuitBreakerTriggered",
    "CriticalIncident",
}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PINS = sorted((ROOT / "requirements").glob("*.txt"))


@cache
def load(name: str) -> Any:
    """Return a file of the project as data."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".toml"):
        return tomllib.loads(text)
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def test_compose_file_is_one() -> None:
    """The compose file is valid against the compose specification and has every part."""
    # As JSON, because the checker does not know YAML's merge keys and Docker does.
    compose = PyCompose.from_json(json.dumps(load("docker-compose.yml")))

    compose.validate()
    compose.to_spec()
    assert set(load("docker-compose.yml")["services"]) == SERVICES


def test_no_container_is_reachable_from_other_machines() -> None:
    """Without authentication nothing is published, and no address but loopback is bound."""
    services = load("docker-compose.yml")["services"]

    assert all(service["network_mode"] == "host" for service in services.values())
    assert not any("ports" in service for service in services.values())
    assert "0.0.0.0" not in (ROOT / "docker-compose.yml").read_text()
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_compose_sets_only_settings_that_exist() -> None:
    """Every variable that a container of ours gets is one that the settings read."""
    known = {f"GOVERNANCE_{name.upper()}" for name in Settings.model_fields}
    known |= {"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "HOST", "PORT", "LOG_LEVEL"}
    services = load("docker-compose.yml")["services"]
    image = (DEPLOY / "container" / "Dockerfile").read_text()
    used = {name for part in ("worker", "api") for name in services[part]["environment"]}
    used |= set(re.findall(r"GOVERNANCE_\w+(?==)", image))

    assert used <= known


def test_image_holds_every_package() -> None:
    """A package that the wheel ships is copied into the image's build, and let through to it."""
    packages = load("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    image = (DEPLOY / "container" / "Dockerfile").read_text()
    let_through = (ROOT / ".dockerignore").read_text()

    assert re.findall(r"^COPY (\w+) \1$", image, re.MULTILINE) == packages
    assert all(f"\n!{package}\n" in let_through for package in packages)


def test_prometheus_scrapes_both_parts_where_they_listen() -> None:
    """The job governance is the API's default port, the other the worker's."""
    jobs = load("deploy/prometheus/prometheus.yml")["scrape_configs"]
    found = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    api, worker = (Settings.model_fields[name].default for name in ("port", "worker_metrics_port"))

    assert found == {
        "governance": [f"localhost:{api}"],
        "governance-worker": [f"localhost:{worker}"],
    }


def test_prometheus_sends_tokens_as_its_comments_say(prometheus: Path, tmp_path: Path) -> None:
    """Uncommented, each job sends a token of its own, and Prometheus takes the file."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    secured = re.sub(r"(?m)^    # (authorization:|  credentials_file: .*)$", r"    \1", text)
    jobs = yaml.safe_load(secured)["scrape_configs"]
    files = [job["authorization"]["credentials_file"] for job in jobs]
    ignored = (ROOT / ".gitignore").read_text()
    for name in ("prometheus.yml", "alerts.yml", *files):
        (tmp_path / name).write_text(secured if name == "prometheus.yml" else "{}")
    config = tmp_path / "prometheus.yml"

    command = [str(prometheus / "promtool"), "check", "config", str(config)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(set(files)) == len(jobs) == 2
    assert all(name.endswith("-token") for name in files)
    assert "\n/deploy/prometheus/*-token\n" in ignored


def test_alerts_keep_the_names_that_people_route_by() -> None:
    """The four alerts of the operators' notification rules exist under their names."""
    rules = load("deploy/prometheus/alerts.yml")["groups"][0]["rules"]

    assert {rule["alert"] for rule in rules} >= ALERTS
    assert all({"summary", "description"} == set(rule["annotations"]) for rule in rules)


def test_alerts_fire_when_they_should(prometheus: Path) -> None:
    """Prometheus' own test of our rules passes."""
    test = DEPLOY / "prometheus" / "alerts.test.yml"

    command = [str(prometheus / "promtool"), "test", "rules", str(test)]
    subprocess.run(command, check=True, capture_output=True)


def test_dashboard_keeps_the_address_that_people_bookmark() -> None:
    """The dashboard's uid is in the runbook's links, and every panel asks our data source."""
    board = load("deploy/grafana/dashboards/autonomy-governance.json")
    [source] = load("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]

    assert board["uid"] == "autonomy-governance"
    assert source["uid"] == "prometheus"
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"prometheus"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_starts_again_what_a_new_start_may_mend(unit: Path) -> None:
    """It gives up on exactly the codes after which `governance up` does, and never for good."""
    parsed = ConfigParser(interpolation=None, strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(unit)
    service = parsed["Service"]

    assert service["Restart"] == "always"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == HOPELESS
    assert parsed["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["ExecStart"].split()[1] in {"api", "worker"}
    assert int(service["TimeoutStopSec"]) > END
    assert service["WorkingDirectory"] == service["ReadWritePaths"]
    assert service["WorkingDirectory"].endswith("/services/governance")


def test_systemd_gives_each_unit_descriptors_enough() -> None:
    """The default of many systems is 1,024, which a crowd of clients uses up."""
    for unit in UNITS:
        given = re.search(r"^LimitNOFILE=(\d+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert given is not None, unit.name
        assert int(given[1]) >= 65_536


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """No directive is misspelt, and what the runbook restarts is the API."""
    subprocess.run([ROOT / "tests" / "scripts" / "install_tools.sh", "systemd-analyze"], check=True)
    for unit in UNITS:
        text = unit.read_text().replace("/opt/governance/bin/governance", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    copies = [str(tmp_path / unit.name) for unit in UNITS]

    found = subprocess.run(["systemd-analyze", "verify", *copies], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert "\nAlias=governance.service\n" in (DEPLOY / "systemd/governance-api.service").read_text()


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.name)
def test_pins_carry_hashes_and_no_address(pins: Path) -> None:
    """Every pin has a checksum, and nothing says where to download from."""
    text = pins.read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())

    assert blocks and all(re.match(r"[a-z0-9]\S*==", block) for block in blocks)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|file:", text)


def test_development_runs_what_is_shipped() -> None:
    """A version that tests use is the version that the image installs."""
    runtime, development = (
        dict(
            re.findall(r"^(\S+?)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
        )
        for name in ("runtime.txt", "dev.txt")
    )

    assert runtime.items() <= development.items()


def test_no_other_distribution_owns_a_name_of_ours() -> None:
    """The folders are top-level names: a dependency that brings the same one must be noticed."""
    packages = load("pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    owners = {name: set(packages_distributions().get(name, [])) for name in packages}

    assert all(owner <= {"autonomy-governance"} for owner in owners.values()), owners
