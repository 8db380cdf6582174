"""Remember: the phase, the rules, the breaker events, and who decided what.

The one writer of the database. Pure modules decide, handlers load, decide and save in one
transaction, and an outbox tells Kafka afterwards.
"""
