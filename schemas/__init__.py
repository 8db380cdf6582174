"""Speak: the words that travel on Kafka and over HTTP.

Events, tallies, actions and settings as data, the topics they travel on, and the one tree of
errors. Everything else imports this package and it imports nothing of ours.
"""
