"""Decide: what follows from what was counted.

Conditions, windows, verdicts, breakers, escalation and the decision trees. Pure code: no clock,
no socket, no file; time is an argument, so that a replay decides what the first run decided.
"""
