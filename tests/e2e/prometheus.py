"""A real Prometheus that scrapes the live installation as `deploy/prometheus` says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.request import urlopen

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "prometheus"


class Prometheus:
    """Runs in *folder* on *port*; ``configuration`` is what would be in ``/etc/prometheus``.

    *places* says which of the deployed addresses are elsewhere, because their ports are taken.
    """

    def __init__(self, tools: Path, folder: Path, *, port: int, places: dict[str, str]) -> None:
        self.configuration = folder / "configuration"
        self._command = tools / "prometheus"
        self._folder = folder
        self._address = f"localhost:{port}"
        shutil.copytree(DEPLOY, self.configuration)
        file = self.configuration / "prometheus.yml"
        text = file.read_text()
        for deployed, here in places.items():
            assert deployed in text
            text = text.replace(deployed, here)
        file.write_text(text)

    def __enter__(self) -> Self:
        with (self._folder / "said.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    self._command,
                    f"--config.file={self.configuration / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={self._address}",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def health(self, job: str) -> str:
        """Return how the last scrape of *job* went: ``up``, ``down`` or ``unknown``."""
        address = f"http://{self._address}/api/v1/targets"
        with urlopen(address, timeout=60) as answer:
            targets = json.load(answer)["data"]["activeTargets"]
        return str(next(one["health"] for one in targets if one["labels"]["job"] == job))
