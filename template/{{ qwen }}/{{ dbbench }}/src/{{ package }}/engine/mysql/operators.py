# ruff: noqa: S608 (names are quoted, and values are translated: nothing of the text that was read is copied)
"""MySQL's values, operators, conditions and choices in SQLite's SQL."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from sqlglot import exp

from .kinds import (
    DECIMAL,
    DOUBLE,
    INTEGER,
    NULL,
    TEXT,
    UNKNOWN,
    Refused,
    Sql,
    Translator,
    arithmetic,
    constant,
    decimal,
    only,
    unified,
    written,
)
from .values import DIGITS, INCREMENT, Exact, places

_WHOLE, _PLAIN = re.compile(r"[0-9]+"), re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
_DOUBLE = re.compile(rf"(?:{_PLAIN.pattern})[eE][+-]?[0-9]+")


def literal(node: exp.Expr, to: Translator, sign: str = "") -> Sql:
    """A text, or a number: MySQL tells whole ones, decimals and doubles apart by how they are written."""
    value = str(node.this)
    if node.args["is_string"]:
        return Sql(constant(value), TEXT)
    if len(value) > DIGITS:
        raise Refused(f"a number of {len(value)} characters")
    if _WHOLE.fullmatch(value) and -(2**63) <= int(sign + value) < 2**63:
        return Sql(str(int(sign + value)), INTEGER)
    if _PLAIN.fullmatch(value):
        found = Decimal(f"{sign}{value}")
        found = found or abs(found)
        return Sql(constant(Exact(found, places(found))), decimal(places(found)))
    if not _DOUBLE.fullmatch(value):
        raise Refused(value)
    double = float(f"{sign}{value}")
    if double in {float("inf"), float("-inf")}:
        raise Refused(value)
    return Sql(repr(double + 0.0), DOUBLE)


def nothing(node: exp.Expr, to: Translator) -> Sql:
    """NULL."""
    return Sql("NULL", NULL)


def boolean(node: exp.Expr, to: Translator) -> Sql:
    """TRUE and FALSE."""
    return Sql(str(int(node.this)), INTEGER)


def column(node: exp.Expr, to: Translator) -> Sql:
    """A column."""
    return to.column(node)


def parentheses(node: exp.Expr, to: Translator) -> Sql:
    """What stands in parentheses."""
    return to.sql(node.this)


def scalar(node: exp.Expr, to: Translator) -> Sql:
    """A query in place of a value: MySQL does not take the first of several rows."""
    only(node, "this")
    query = to.query(node.this)
    return Sql(f"(WITH one(value) AS ({query.text}) SELECT my_single(value) FROM one)", query.column())


def operator(scale: Callable[[int, int], int]) -> Callable[[exp.Expr, Translator], Sql]:
    """+, -, * and %, with the places of a decimal."""

    def translated(node: exp.Expr, to: Translator) -> Sql:
        only(node, "this", "expression", "safe")  # of %, by which zero gives NULL, as MySQL has it
        one, other = to.number(node.this), to.number(node.expression)
        name = type(node).__name__.lower()
        second = f"my_divisor({other.text})" if name == "mod" and to.strict else other.text
        kind = arithmetic(one.kind, other.kind, scale(one.kind.scale, other.kind.scale))
        return Sql(f"my_{name}({one.text}, {second})", kind)

    return translated


def division(node: exp.Expr, to: Translator) -> Sql:
    """/ gives decimals or doubles, DIV whole numbers."""
    only(node, "this", "expression", "typed", "safe")
    one, other = to.number(node.this), to.number(node.expression)
    second = f"my_divisor({other.text})" if to.strict else other.text
    if isinstance(node, exp.IntDiv):
        return Sql(f"my_intdiv({one.text}, {second})", INTEGER)
    doubles = max(one.kind.rank, other.kind.rank) > DECIMAL.rank
    scale = max(one.kind.scale, other.kind.scale if doubles else 0) + INCREMENT
    kind = arithmetic(unified((one.kind, DECIMAL)), other.kind, scale)
    return Sql(f"my_div({one.text}, {second})", kind)


def negative(node: exp.Expr, to: Translator) -> Sql:
    """-, of one number; of a constant it is a constant."""
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return literal(node.this, to, "-")
    made = to.number(node.this)
    return Sql(f"my_neg({made.text})", arithmetic(made.kind, NULL, made.kind.scale))


def alike(to: Translator, nodes: Sequence[exp.Expr]) -> list[Sql]:
    """Expressions that are compared: in a strict statement a text beside numbers has to be one."""
    made = [to.sql(node) for node in nodes]
    if not to.strict or not any(one.kind.numeric for one in made):
        return made
    return [to.number(node) for node in nodes]


def call(name: str, made: Sequence[Sql]) -> Sql:
    """A function that holds or not."""
    return Sql(f"my_{name}({', '.join(one.text for one in made)})", INTEGER)


def comparison(node: exp.Expr, to: Translator) -> Sql:
    """=, < and so on."""
    only(node, "this", "expression")
    return call(type(node).__name__.lower(), alike(to, (node.this, node.expression)))


def between(node: exp.Expr, to: Translator) -> Sql:
    """All three are compared as numbers if one is."""
    only(node, "this", "low", "high")
    made = alike(to, (node.this, node.args["low"], node.args["high"]))
    return call("between", [one.into(DOUBLE) for one in made] if any(one.kind.numeric for one in made) else made)


def among(node: exp.Expr, to: Translator) -> Sql:
    """IN: with values each is compared for itself, with a query all are texts or all are numbers."""
    only(node, "this", "expressions", "query")
    if not node.args.get("query"):
        first, *others = made = [to.sql(each) for each in (node.this, *node.expressions)]
        if first.kind.numeric:
            made = [first, *(to.number(each) for each in node.expressions)]
        elif any(other.kind.numeric for other in others):
            made = [to.number(node.this), *others]
        return call("among", made)
    one, query = to.sql(node.this), to.query(node.args["query"].this)
    kinds = {one.kind, query.column()} - {NULL}
    if UNKNOWN in kinds:
        raise Refused(f"{written(node)}, since it is not known whether texts or numbers are compared")
    common = TEXT if kinds <= {TEXT} else DOUBLE
    left = one if common == TEXT else to.number(node.this)
    return Sql(f"({left.into(common).collated} IN ({query.into([common])}))", INTEGER)


def joined(word: str) -> Callable[[exp.Expr, Translator], Sql]:
    """Two conditions."""

    def translated(node: exp.Expr, to: Translator) -> Sql:
        only(node, "this", "expression")
        return Sql(f"({to.condition(node.this)} {word} {to.condition(node.expression)})", INTEGER)

    return translated


def negated(node: exp.Expr, to: Translator) -> Sql:
    """NOT."""
    return Sql(f"(NOT {to.condition(node.this)})", INTEGER)


def known(node: exp.Expr, to: Translator) -> Sql:
    """IS NULL, IS TRUE and IS FALSE."""
    only(node, "this", "expression")
    if isinstance(node.expression, exp.Null):
        return Sql(f"({to.sql(node.this).text} IS NULL)", INTEGER)
    if isinstance(node.expression, exp.Boolean):
        return Sql(f"({to.condition(node.this)} IS {int(node.expression.this)})", INTEGER)
    raise Refused(written(node))


def like(node: exp.Expr, to: Translator, escape: str = "\\") -> Sql:
    """LIKE: texts are compared without case and accents."""
    only(node, "this", "expression", "negate")
    one, other = (f"my_folded({to.sql(each).read})" for each in (node.this, node.expression))
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    return Sql(f"({one} {word} {other} ESCAPE {constant(escape)})", INTEGER)


def escaped(node: exp.Expr, to: Translator) -> Sql:
    """LIKE with another sign than the backslash."""
    sign = node.expression.name
    if not isinstance(node.this, exp.Like) or len(sign) != 1 or sign.isalnum() or not sign.isascii():
        raise Refused(written(node))
    return like(node.this, to, sign)


def exists(node: exp.Expr, to: Translator) -> Sql:
    """EXISTS."""
    query = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Sql(f"EXISTS ({to.query(query).text})", INTEGER)


def conditional(node: exp.Expr, to: Translator) -> Sql:
    """IF."""
    only(node, "this", "true", "false")
    return choice(to, [(to.condition(node.this), node.args["true"])], node.args.get("false"))


def case(node: exp.Expr, to: Translator) -> Sql:
    """CASE, with a value to compare or without."""
    only(node, "this", "ifs", "default")
    branches = [
        (
            call("eq", alike(to, (node.this, each.this))).text if node.this else to.condition(each.this),
            each.args["true"],
        )
        for each in node.args["ifs"]
    ]
    return choice(to, branches, node.args.get("default"))


def choice(to: Translator, branches: Sequence[tuple[str, exp.Expr]], default: exp.Expr | None) -> Sql:
    """One of several expressions, which are all of one kind."""
    made = [to.sql(value) for _, value in branches] + [to.sql(default) if default else Sql("NULL", NULL)]
    kind = unified(one.kind for one in made)
    *texts, last = (one.into(kind).text for one in made)
    whens = " ".join(f"WHEN {when} THEN {text}" for (when, _), text in zip(branches, texts, strict=True))
    return Sql(f"CASE {whens} ELSE {last} END", kind)


def first_known(node: exp.Expr, to: Translator) -> Sql:
    """COALESCE and IFNULL."""
    only(node, "this", "expressions")
    made = [to.sql(each) for each in (node.this, *node.expressions)]
    kind = unified(one.kind for one in made)
    texts = [one.into(kind).text for one in made]
    return Sql(f"COALESCE({', '.join(texts)})" if texts[1:] else texts[0], kind)


def extreme(node: exp.Expr, to: Translator) -> Sql:
    """GREATEST and LEAST: beside a number a text is one. Texts alone are compared now as texts, now as numbers."""
    only(node, "this", "expressions")
    made = [to.number(each) for each in (node.this, *node.expressions)]
    if not any(one.kind.numeric for one in made):
        raise Refused(f"{written(node)} of texts: add 0 to compare numbers")
    found = unified(one.kind for one in made)
    kind = DOUBLE if found == TEXT else found
    return Sql(f"my_{type(node).__name__.lower()}({', '.join(one.into(kind).text for one in made)})", kind)


def unless(node: exp.Expr, to: Translator) -> Sql:
    """NULLIF."""
    one, other = alike(to, (node.this, node.expression))
    return Sql(f"CASE WHEN my_eq({one.text}, {other.text}) THEN NULL ELSE {one.text} END", one.kind)


COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ)
CONDITIONS: dict[type[exp.Expr], Callable[[exp.Expr, Translator], Sql]] = {
    **dict.fromkeys(COMPARISONS, comparison),
    exp.And: joined("AND"),
    exp.Or: joined("OR"),
    exp.Xor: joined("<>"),
    exp.Not: negated,
    exp.Is: known,
    exp.In: among,
    exp.Between: between,
    exp.Like: like,
    exp.Escape: escaped,
    exp.Exists: exists,
}
"""What is 1, 0 or NULL."""
OPERATORS: dict[type[exp.Expr], Callable[[exp.Expr, Translator], Sql]] = {
    exp.Literal: literal,
    exp.Null: nothing,
    exp.Boolean: boolean,
    exp.Column: column,
    exp.Paren: parentheses,
    exp.Subquery: scalar,
    exp.Add: operator(max),
    exp.Sub: operator(max),
    exp.Mod: operator(max),
    exp.Mul: operator(lambda one, other: one + other),
    exp.Div: division,
    exp.IntDiv: division,
    exp.Neg: negative,
    exp.If: conditional,
    exp.Case: case,
    exp.Coalesce: first_known,
    exp.Greatest: extreme,
    exp.Least: extreme,
    exp.Nullif: unless,
}
