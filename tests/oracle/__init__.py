"""The brute-force calculator that the engine is held against, and the logs that it is fed.

It reads what a source partition holds and says what must have counted, what must be a dead
letter and which breakers must have tripped, when, and on what evidence. It shares nothing with
the engine but the wire formats: no decoder, no panes, no parser, no breaker.
"""
