"""Everything on one machine: a real Apache Kafka that we start and stop, and demo traffic.

For a laptop, a demonstration and the tests. In production Kafka is someone's own, and nothing of
this package runs.
"""
