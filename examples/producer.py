"""Report what an executor does. Copy this file, and put your own work in the place of ours.

pip install "kafka-python[crc32c]>=3.0.12"
python producer.py localhost:9092          (docs/events.md: what else an event may carry)
"""

import json
import random
import sys
import time
import uuid
from datetime import UTC, datetime

from kafka import KafkaProducer

TOPIC = "governance.command-events"


def connect(servers: str) -> KafkaProducer:
    """Return a producer that loses nothing and sends nothing twice while it lives."""
    return KafkaProducer(
        bootstrap_servers=servers.split(","),
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
    )


def report(producer: KafkaProducer, command: dict[str, str], status: str) -> str:
    """Send one step of a command and return the event's id; send it again under that id only."""
    event = {
        "id": str(uuid.uuid4()),
        "kind": "command",
        "autonomous": True,
        "occurredAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **command,
        "status": status,
    }
    # The same id must always have the same key: repeats are recognised within a partition.
    producer.send(TOPIC, key=command["commandType"].encode(), value=json.dumps(event).encode())
    return str(event["id"])


def main() -> None:
    """Run one command a second, until Ctrl-C."""
    producer = connect(sys.argv[1] if len(sys.argv) > 1 else "localhost:9092")
    try:
        while True:
            command = {"commandId": str(uuid.uuid4()), "commandType": "SET_FAN"}
            for status in ("proposed", "approved", random.choice(["succeeded"] * 20 + ["failed"])):
                report(producer, command, status)
            time.sleep(1)
    finally:
        producer.close()  # waits until Kafka has everything


if __name__ == "__main__":
    main()
