"""What Kafka holds of ours: the control topics as they were published, read whole and followed."""

from governance.kafka.control_topics import ControlTopics
from governance.kafka.published import Published, read_published

__all__ = ["ControlTopics", "Published", "read_published"]
