"""The state on Kafka: what is to be published again, and what it knows that we do not."""

from governance.state.publication import StateRepair, compare_state, same_state

__all__ = ["StateRepair", "compare_state", "same_state"]
