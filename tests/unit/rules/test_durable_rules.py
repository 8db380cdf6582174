"""The dangers of durable-rules that its confinement stands on, each in a process of its own.

When one of these fails, durable-rules has changed: read `rules/host.py` again before upgrading.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PREFACE = """
from durable import engine
class Host(engine.Host):
    def _run(self): pass
fired = []
def noting(name):
    return lambda c: fired.append(name)
def host(**rules):
    for name, rule in rules.items():
        rule.setdefault("run", noting(name))
    return Host({"r": rules})
kind = {"m": {"kind": "x"}}
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run *script* after the preface, in a process that may die."""
    return subprocess.run(
        [sys.executable, "-c", PREFACE + script],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (
            "host(a={'all': [{'m': {'$gt': {'rate': 0.08}}}]}).assert_fact('r', {'rate': 'abc'})\n"
            "print(fired)",
            "['a']",
        ),
        (
            "def fail(c): raise ValueError('lost')\n"
            "h = host(a={'all': [kind], 'run': fail}); h.assert_fact('r', {'kind': 'x'})\n"
            "print('lost' in h.get_state('r')['exception'])",
            "True",
        ),
        (
            "h = host(a={'all': [kind]}, b={'all': [{'m': {'kind': 'x'}}]})\n"
            "h.post('r', {'kind': 'x'}); print(fired)",
            "['a']",
        ),
        (
            "h = host(a={'all': [kind]}, b={'all': [{'m': {'kind': 'x'}}]})\n"
            "h.assert_fact('r', {'kind': 'x'}); print(fired)",
            "['a', 'b']",
        ),
    ],
    ids=["text exceeds numbers", "exceptions vanish", "events are consumed", "facts are not"],
)
def test_why_facts_are_checked_and_actions_do_nothing(script: str, printed: str) -> None:
    """Comparisons are unsafe, exceptions vanish, and only facts reach every rule."""
    assert run(script).stdout.strip() == printed


@pytest.mark.parametrize(
    "script",
    [
        "host(a={'all': [kind]}).assert_fact('r', {'kind': 'x', 'rate': 1e-05})",
        "host(**{f'a{i}': {'all': [{'m': {'$gt': {'x': i}}}]} for i in range(65)})"
        ".assert_fact('r', {'x': 99})",
    ],
    ids=["tiny floats", "65 rules at once"],
)
def test_why_floats_and_many_rules_stay_out(script: str) -> None:
    """A tiny rate cannot be parsed, and the 65th rule makes all the others fail."""
    done = run(script)

    assert done.returncode == 1
    assert "Could not assert fact" in done.stderr


@pytest.mark.parametrize(
    ("script", "killed_by"),
    [
        ("host(a={'all': [kind]}).post_batch('r', [])", signal.SIGSEGV),
        (
            "host(a={'all': [{'m': {'$eq': {'x': 1}}}, {'n': {'$gt': "
            "{'x': {'$div': {'$l': {'m': 'y'}, '$r': {'m': 'z'}}}}}}]})"
            ".assert_facts('r', [{'x': 1, 'y': 1, 'z': 0}, {'x': 2, 'y': 1, 'z': 0}])",
            signal.SIGFPE,
        ),
    ],
    ids=["an empty batch", "a division by zero"],
)
def test_why_only_single_facts_and_comparisons_are_used(
    script: str, killed_by: signal.Signals
) -> None:
    """Some questions kill the process."""
    assert run(script).returncode == -killed_by
