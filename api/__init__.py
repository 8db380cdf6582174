"""Operate: HTTP for people and their tools.

Routes are thin: they call a handler of the state service and say the answer in JSON or HTML.
"""
