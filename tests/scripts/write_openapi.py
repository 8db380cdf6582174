"""Writes ``docs/openapi.json`` anew: ``python -m tests.scripts.write_openapi``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from api.app import create_app
from governance.service import StateService
from schemas.settings import Settings

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"


def present_document() -> dict[str, Any]:
    """Return the OpenAPI document of the code as it is; nothing is opened or started for it.

    It is the document of `token` mode, because it says more: what clients must send, which
    they may in `open` mode too.
    """
    return document_in("token")


def document_in(mode: Literal["open", "token", "oidc"]) -> dict[str, Any]:
    """Return the document that is served in *mode*."""
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:1/nothing")
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", database_url=nowhere, auth=mode)
    return create_app(StateService(settings), settings).openapi()


def main() -> None:
    """Write it, for people to compare."""
    text = json.dumps(present_document(), indent=2, ensure_ascii=False)
    SNAPSHOT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
