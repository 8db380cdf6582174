"""Read a condition: the grammar, whole.

    condition  = condition "or" condition | condition "and" condition | "not" condition
               | value comparison value | "(" condition ")"
    comparison = ">" | ">=" | "<" | "<=" | "==" | "===" | "!=" | "!=="
    value      = value ("+" | "-" | "*" | "/") value | "-" value | "(" value ")"
               | number | number "%" | duration | "window" | string | metric

``or`` binds least, then ``and``, ``not``, comparisons (which do not chain), ``+ -``, ``* /`` and
the sign; ``||``, ``&&`` and ``!`` are the same as ``or``, ``and`` and ``not``, words in any
case. What may be compared with what is not the grammar's matter but that of `rules.units`.
"""

from __future__ import annotations

from typing import Final

from rules import suggestions
from rules.lexer import Kind, Token, tokens
from rules.metrics import METRICS, PREFIX, SEVERITY_NAME
from rules.tree import (
    Arithmetic,
    Comparison,
    Joined,
    Length,
    MetricName,
    Negative,
    Node,
    Not,
    Number,
    Operator,
    Quoted,
    SeverityName,
    WindowLength,
)
from schemas.durations import milliseconds
from schemas.errors import RuleError
from schemas.rules import MAX_CONDITION

MAX_HEIGHT: Final = 32
"""Levels that a tree may have: more is no condition that a person can read."""

MAX_DIGITS: Final = 15
"""Digits before the point of a number: more than any count has."""

_STRENGTH: Final[dict[str, int]] = {
    "or": 1, "and": 2,
    ">": 4, ">=": 4, "<": 4, "<=": 4, "==": 4, "!=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6,
}  # fmt: skip
_NOT: Final = 3
_COMPARISON: Final = 4
_SIGN: Final = 7


def parse(text: str) -> Node:
    """Return the tree of *text*; what it compares may still be nonsense.

    Raises:
        RuleError: *text* is not of the grammar; ``position`` is set, ``source`` is not.
    """
    if len(text) > MAX_CONDITION:
        raise RuleError(
            f"a condition has at most {MAX_CONDITION} characters, this one has {len(text)}",
            position=MAX_CONDITION,
        )
    return _Reader(text).whole()


class _Reader:
    """Walks over the tokens once; ``token`` is the one to be read next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.index = 0
        self.token = self.tokens[0]
        self.depth = 0

    def step(self) -> Token:
        """Return the present token and go on to the next."""
        token = self.token
        self.index += 1
        self.token = self.tokens[self.index]
        return token

    def whole(self) -> Node:
        """Return the tree of the whole text."""
        if self.token.kind == Kind.END:
            raise RuleError("the condition is empty", position=0, suggestion="errorRate > 0.05")
        node = self.expression(0)
        if self.token.kind != Kind.END:
            raise self._left_over()
        return node

    def expression(self, floor: int) -> Node:
        """Return what stands here, up to an operator that binds no more than *floor*."""
        self._descend()
        left = self._operand()
        while (strength := _STRENGTH.get(self.token.kind, 0)) > floor:
            if strength < _COMPARISON:
                left = self._joined(left, strength)
            elif strength == _COMPARISON:
                left = self._comparison(left)
            else:
                left = self._arithmetic(left, strength)
        self.depth -= 1
        return left

    def _descend(self) -> None:
        """Count one more level, and refuse what would exhaust the stack."""
        self.depth += 1
        if self.depth > MAX_HEIGHT:
            raise _too_deep(self.token.at)

    def _joined(self, left: Node, strength: int) -> Node:
        """Return *left* and all that follows with the same ``and`` or ``or``."""
        operator, at = Operator(self.token.kind), self.token.at
        parts = [left]
        while self.token.kind == operator:
            self.step()
            parts.append(self.expression(strength))
        return Joined(at, operator, tuple(parts), _above(at, *parts))

    def _comparison(self, left: Node) -> Node:
        """Return *left* compared with what follows."""
        if isinstance(left, Comparison):
            raise self._chained(left)
        sign = self.step()
        right = self.expression(_COMPARISON)
        return Comparison(
            sign.at, Operator(sign.kind), sign.text, left, right, _above(sign.at, left, right)
        )

    def _arithmetic(self, left: Node, strength: int) -> Node:
        """Return *left* reckoned with what follows."""
        sign = self.step()
        right = self.expression(strength)
        return Arithmetic(sign.at, Operator(sign.kind), left, right, _above(sign.at, left, right))

    def _operand(self) -> Node:
        """Return the value, the negation or the parenthesis that begins here."""
        token = self.step()
        match token.kind:
            case Kind.NAME:
                return self._named(token)
            case Kind.NUMBER | Kind.SHARE:
                return _number(token)
            case Kind.DURATION:
                return Length(token.at, milliseconds(token.text))
            case Kind.STRING:
                return Quoted(token.at, token.text[1:-1])
            case "(":
                return self._parenthesis(token)
            case "not":
                operand = self.expression(_NOT)
                return Not(token.at, operand, _above(token.at, operand))
            case "-":
                operand = self.expression(_SIGN)
                return Negative(token.at, operand, _above(token.at, operand))
            case _:
                raise self._no_operand(token)

    def _parenthesis(self, opening: Token) -> Node:
        """Return what stands between parentheses."""
        node = self.expression(0)
        if self.token.kind == Kind.END:
            raise RuleError("the parenthesis is not closed", position=opening.at, suggestion=")")
        if self.token.kind != ")":
            raise self._left_over()
        self.step()
        return node

    def _named(self, token: Token) -> Node:
        """Return the metric, the severity or the window that *token* names."""
        if self.token.kind == "(":
            raise RuleError(
                f"{suggestions.shown(token.text)} is called, and there are no functions here",
                position=token.at,
                suggestion=suggestions.for_name(token.text),
            )
        name = token.text.removeprefix(PREFIX)
        if name in METRICS:
            return MetricName(token.at, name, token.text)
        if name == SEVERITY_NAME:
            return SeverityName(token.at, token.text)
        if token.text == "window":
            return WindowLength(token.at)
        raise RuleError(
            f"{suggestions.shown(token.text)} is not a metric",
            position=token.at,
            suggestion=suggestions.for_name(token.text),
        )

    def _chained(self, left: Comparison) -> RuleError:
        """Return the error for ``a > b > c``, which probably means ``a > b and b > c``."""
        at = self.token.at
        middle = self.text[left.at + len(left.symbol) : at].strip()
        meant = f"{self.text[:at].rstrip()} and {middle} {self.text[at:]}"
        is_whole = middle.count("(") == middle.count(")")
        return RuleError(
            "comparisons do not chain: join two of them with `and`",
            position=at,
            suggestion=meant if is_whole and len(meant) <= 2 * suggestions.LONGEST_WORD else "and",
        )

    def _left_over(self) -> RuleError:
        """Return the error for what stands where an operator or the end should."""
        token = self.token
        if token.kind == ")":
            return RuleError("nothing opens this parenthesis", position=token.at)
        starts_another = token.kind in {"not", "("} or suggestions.is_metric(token.text)
        return RuleError(
            f"{suggestions.shown(token.text)} where an operator or the end should be",
            position=token.at,
            suggestion=suggestions.WORDS.get(token.text) or ("and" if starts_another else None),
        )

    def _no_operand(self, token: Token) -> RuleError:
        """Return the error for what stands where a value should."""
        if token.kind == Kind.END:
            return RuleError("a value is missing at the end", position=token.at)
        return RuleError(
            f"{suggestions.shown(token.text)} where a value should be", position=token.at
        )


def _number(token: Token) -> Number:
    """Return exactly the number that *token* holds."""
    digits = token.text.rstrip("%")
    if len(digits.split(".")[0].lstrip("0")) > MAX_DIGITS:
        raise RuleError(
            f"{suggestions.shown(token.text)} is too large: a number has at most "
            f"{MAX_DIGITS} digits before the point",
            position=token.at,
        )
    whole, _, part = digits.partition(".")
    above, below = int(whole + part), 10 ** len(part)
    if token.kind == Kind.SHARE:
        return Number(token.at, (above, 100 * below), is_share=True)
    return Number(token.at, (above, below))


def _above(at: int, *children: Node) -> int:
    """Return the height of a node over *children*.

    Raises:
        RuleError: it is higher than a condition may be.
    """
    height = 1 + max([child.height for child in children])
    if height > MAX_HEIGHT:
        raise _too_deep(at)
    return height


def _too_deep(at: int) -> RuleError:
    """Return the error for a condition of more than `MAX_HEIGHT` levels."""
    return RuleError(
        f"the condition is nested more than {MAX_HEIGHT} deep: split the rule", position=at
    )
