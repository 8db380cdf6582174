"""The documents of the wire, made from the models: JSON Schemas, and AsyncAPI for the topics.

``make schemas`` writes them to ``docs/``; a test fails while what is committed differs. Whoever
writes a producer or a subscriber in another language starts from them.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter

from schemas.actions import DECISION
from schemas.alerts import CLOUD_EVENT, Alert
from schemas.events import EVENT, Reason
from schemas.governance import STATE_TOPIC
from schemas.rules import Rule, RulePatch, RuleVersion
from schemas.topics import ALERTS, TOPICS, Topic

DOCS: Final = Path(__file__).parents[1] / "docs"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PREFIX: Final = "governance."
"""The default of the setting; topics of another installation begin with another."""

SCHEMAS: Final[dict[str, tuple[TypeAdapter[Any], str]]] = {
    "event": (EVENT, "What producers send to command-events"),
    "decision": (DECISION, "What judges publish on breaker-actions"),
    "rule": (TypeAdapter(Rule), "A breaker rule as people write it"),
    "rule-patch": (TypeAdapter(RulePatch), "A change of a breaker rule"),
    "rule-version": (TypeAdapter(RuleVersion), "One version of a rule on the rules topic"),
    "state-record": (STATE_TOPIC, "What the state topic says"),
    "alert": (TypeAdapter(Alert), "What subscribers of the alerts topic read"),
}
"""Each document of ``docs/schemas``: its model and its title."""

PAYLOADS: Final = {
    "Event": "event",
    "Decision": "decision",
    "RuleVersion": "rule-version",
    "StateTopicRecord": "state-record",
    "Alert": "alert",
}
"""The document of each model that `schemas.topics` names."""

USES: Final = {
    "command-events": ("receive", "Producers report what executors do; ticks of ours are empty."),
    "tallies": ("send", "Tally tells judge what was counted; internal."),
    "breaker-actions": ("send", "Judges publish trips, and how far they have decided."),
    "rules": ("send", "Every version of every rule, for every worker."),
    "state": ("send", "The state of autonomy, its epochs, and what people resolved."),
    "alerts": ("send", "What happened, for subscribers: CloudEvents, at least once."),
    "dead-letters": ("send", "Records that could not be counted, as they were."),
    "tally-changelog": ("send", "Tally's state, partition by partition; internal."),
    "judge-changelog": ("send", "Judge's state, partition by partition; internal."),
}
"""For each topic: what the product does with it, and what it is for."""


def documents() -> dict[str, str]:
    """Return every generated document by its path below ``docs/``."""
    schemas = {f"schemas/{name}.json": _json(schema(name)) for name in SCHEMAS}
    asyncapi = yaml.safe_dump(asyncapi_document(), sort_keys=False, allow_unicode=True, width=100)
    return {**schemas, "asyncapi.yaml": asyncapi}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one document, with the names of the wire."""
    model, title = SCHEMAS[name]
    found = model.json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **found, "title": title}


def asyncapi_document() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Autonomy Governance",
            "version": version("autonomy-governance"),
            "description": "The topics of the product. Made from schemas/topics.py and the models "
            "by `make schemas`.",
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka"}},
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{USES[topic.name][0]}-{topic.name}": {
                "action": USES[topic.name][0],
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": USES[topic.name][1],
            }
            for topic in TOPICS
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    """Return what AsyncAPI says about a topic."""
    return {
        "address": PREFIX + topic.name,
        "description": f"{USES[topic.name][1]} Key: {topic.key}.",
        "messages": {topic.schema.replace(" ", ""): _message(topic)},
        "bindings": {
            "kafka": {
                "topic": PREFIX + topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic) -> dict[str, Any]:
    """Return what AsyncAPI says about a topic's records."""
    if topic.schema in PAYLOADS:
        content = {"contentType": CLOUD_EVENT} if topic is ALERTS else {}
        return {
            "name": topic.schema,
            **content,
            "payload": {"$ref": f"./schemas/{PAYLOADS[topic.schema]}.json"},
        }
    if topic.name == "dead-letters":
        names = ("topic", "partition", "offset", "reason", "detail", "receivedAt")
        headers: dict[str, Any] = {name: {"type": "string"} for name in names}
        headers["reason"]["enum"] = [reason.value for reason in Reason]
        return {
            "name": "DeadLetter",
            "contentType": "application/octet-stream",
            "summary": "The raw bytes of the record, and why it was refused.",
            "headers": {"type": "object", "properties": headers, "required": list(names)},
        }
    return {
        "name": topic.schema,
        "contentType": "application/msgpack",
        "summary": "Internal: its form may change with any version.",
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """Return a topic's settings in the types that AsyncAPI's binding asks for."""
    settings: dict[str, Any] = {
        name: int(value) if value.lstrip("-").isdecimal() else value
        for name, value in topic.settings().items()
    }
    return settings | {"cleanup.policy": [topic.cleanup]}


def _json(document: dict[str, Any]) -> str:
    """Return *document* as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path = DOCS) -> None:
    """Write every document below *folder*."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
