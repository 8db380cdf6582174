"""Watch: fold command events into tallies, and judge the tallies.

The only package that knows Faust. Its two agents, tally and judge, count every acknowledged event
exactly once and decide as a function of the log alone, whatever dies in between.
"""
