"""MySQL's functions, casts, aggregates and windows in SQLite's SQL."""

from collections.abc import Callable
from typing import NamedTuple

from sqlglot import exp

from .kinds import (
    DECIMAL,
    DOUBLE,
    INTEGER,
    NULL,
    TEXT,
    Kind,
    Refused,
    Sql,
    Translator,
    arithmetic,
    constant,
    decimal,
    only,
    written,
)
from .values import INCREMENT


class Call(NamedTuple):
    """A function: what it is called here, where its arguments stand, which of them are numbers, and its kind."""

    name: str
    arguments: str
    numbers: str = ""
    kind: Kind = TEXT


CALLS = {
    "Concat": Call("concat", "expressions"),
    "ConcatWs": Call("concat_ws", "expressions"),
    "Upper": Call("upper", "this"),
    "Lower": Call("lower", "this"),
    "Substring": Call("substring", "this start length", "start length"),
    "Left": Call("left", "this expression", "expression"),
    "Right": Call("right", "this expression", "expression"),
    "Replace": Call("replace", "this expression replacement"),
    "StrPosition": Call("locate", "this substr position", "position", INTEGER),
    "SubstringIndex": Call("substring_index", "this delimiter count", "count"),
    "Reverse": Call("reverse", "this"),
    "Repeat": Call("repeat", "this times", "times"),
    "Sqrt": Call("sqrt", "this", "this", DOUBLE),
    "Exp": Call("exp", "this", "this", DOUBLE),
    "Ln": Call("ln", "this", "this", DOUBLE),
    "Log": Call("log", "this expression", "this expression", DOUBLE),
    "Pow": Call("pow", "this expression", "this expression", DOUBLE),
    "Sign": Call("sign", "this", "this", INTEGER),
}
"""By sqlglot's names."""
FLAGS = ("safe", "coalesce", "binary", "is_left")
NAMES = {
    "FIELD": ("field", INTEGER),
    "STRCMP": ("strcmp", INTEGER),
    "MID": ("substring", TEXT),
    "OCTET_LENGTH": ("length", INTEGER),
}
"""Those that sqlglot knows no more of than their names."""
CASTS = {
    "BIGINT": ("as_integer", INTEGER, "checked_integer"),
    "INT": ("as_integer", INTEGER, "checked_integer"),
    "UBIGINT": ("as_unsigned", INTEGER, "checked_integer"),
    "DOUBLE": ("as_double", DOUBLE, "checked"),
}
RANKS = {
    "RowNumber": ("row_number", INTEGER),
    "Rank": ("rank", INTEGER),
    "DenseRank": ("dense_rank", INTEGER),
}


def function(node: exp.Expr, to: Translator) -> Sql:
    """One of `CALLS`."""
    wanted = CALLS[type(node).__name__]
    only(node, *wanted.arguments.split(), *FLAGS)
    texts = []
    for name in wanted.arguments.split():
        value = node.args.get(name)
        for each in value if isinstance(value, list) else [value] if value is not None else []:
            text = to.number(each).text if name in wanted.numbers.split() else to.sql(each).read
            texts.append(f"my_positive({text})" if to.strict and isinstance(node, (exp.Ln, exp.Log)) else text)
    return Sql(f"my_{wanted.name}({', '.join(texts)})", wanted.kind)


def named(node: exp.Expr, to: Translator) -> Sql:
    """One of `NAMES`."""
    name, made = node.name.upper(), [to.sql(each) for each in node.expressions]
    if name not in NAMES:
        raise Refused(written(node))
    if name == "FIELD" and any(one.kind.numeric for one in made):
        made = [to.number(each).into(DOUBLE) for each in node.expressions]
    return Sql(f"my_{NAMES[name][0]}({', '.join(one.read for one in made)})", NAMES[name][1])


def length(node: exp.Expr, to: Translator) -> Sql:
    """LENGTH counts bytes, CHAR_LENGTH characters."""
    only(node, "this", "binary")
    return Sql(f"my_{'length' if node.args.get('binary') else 'char_length'}({to.sql(node.this).read})", INTEGER)


def trimmed(node: exp.Expr, to: Translator) -> Sql:
    """TRIM, LTRIM and RTRIM."""
    only(node, "this", "position", "expression")
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")), "trim")
    texts = [to.sql(each).read for each in (node.this, node.args.get("expression")) if each]
    return Sql(f"my_{name}({', '.join(texts)})", TEXT)


def padded(node: exp.Expr, to: Translator) -> Sql:
    """LPAD and RPAD."""
    if not node.args.get("fill_pattern"):
        raise Refused(written(node))
    one, fill = to.sql(node.this), to.sql(node.args["fill_pattern"])
    name = "lpad" if node.args.get("is_left") else "rpad"
    return Sql(f"my_{name}({one.read}, {to.number(node.expression).text}, {fill.read})", TEXT)


def places(node: exp.Expr, to: Translator) -> Sql:
    """ROUND and TRUNCATE: how many places remain has to stand there."""
    only(node, "this", "decimals")
    one, digits = to.number(node.this), node.args.get("decimals")
    found = to.number(digits).text if digits else "0"
    if not found.lstrip("-").isdigit():
        raise Refused(written(node))
    kind = arithmetic(one.kind, NULL, max(int(found), 0))
    return Sql(f"my_{type(node).__name__.lower()}({one.text}, {found})", kind)


def whole(node: exp.Expr, to: Translator) -> Sql:
    """CEIL and FLOOR: a decimal becomes a whole number, and a double stays one."""
    only(node, "this")
    one = to.number(node.this)
    kind = INTEGER if one.kind.rank == DECIMAL.rank else arithmetic(one.kind, NULL, 0)
    return Sql(f"my_{type(node).__name__.lower()}({one.text})", kind)


def absolute(node: exp.Expr, to: Translator) -> Sql:
    """ABS."""
    only(node, "this")
    one = to.number(node.this)
    return Sql(f"my_abs({one.text})", arithmetic(one.kind, NULL, one.kind.scale))


def cast(node: exp.Expr, to: Translator) -> Sql:
    """CAST and CONVERT."""
    only(node, "this", "to")
    target = node.args["to"]
    if not all(each.name.isdigit() for each in target.expressions):
        raise Refused(written(node))
    name, numbers = target.this.value, [int(each.name) for each in target.expressions]
    if name in CASTS and not numbers:
        function, kind, check = CASTS[name]
        return Sql(f"my_{function}({to.number(node.this, check).text})", kind)
    if name == "DECIMAL":
        digits, scale = (*numbers, 10, 0)[:2] if not numbers else (*numbers, 0)[:2]
        if not 0 < digits <= 65 or not 0 <= scale <= min(digits, 30):
            raise Refused(written(node))
        value = to.number(node.this, "checked_decimal").text
        return Sql(f"my_as_decimal({value}, {digits}, {scale}, {int(to.strict)})", decimal(scale))
    if name in {"CHAR", "NCHAR", "VARCHAR"}:
        size = "".join(f", {number}" for number in numbers[:1])
        return Sql(f"my_as_text({to.sql(node.this).read}{size})", TEXT)
    raise Refused(written(node))


def counted(node: exp.Expr, to: Translator) -> Sql:
    """COUNT."""
    only(node, "this", "big_int")
    if isinstance(node.this, exp.Star):
        return Sql("COUNT(*)", INTEGER)
    distinct, value = single(node)
    one = to.sql(value)
    return Sql(f"COUNT({'DISTINCT ' if distinct else ''}{one.collated if distinct else one.text})", INTEGER)


def single(node: exp.Expr) -> tuple[bool, exp.Expr]:
    """The argument of an aggregate, and whether equal values count once."""
    if not isinstance(node.this, exp.Distinct):
        return False, node.this
    if len(node.this.expressions) != 1:
        raise Refused(written(node))
    return True, node.this.expressions[0]


def total(node: exp.Expr, to: Translator) -> Sql:
    """SUM and AVG."""
    only(node, "this")
    distinct, value = single(node)
    one = to.number(value)
    name, more = ("sum", 0) if isinstance(node, exp.Sum) else ("avg", INCREMENT)
    kind = arithmetic(one.kind, DECIMAL, one.kind.scale + more)
    if not distinct:
        return Sql(f"my_{name}({one.text})", kind)
    # Which values are equal is seen when a text is a number, and a quotient is cut to its places.
    cut = one.kind.rank == DECIMAL.rank
    text = f"my_as_decimal({one.text}, 65, {one.kind.scale})" if cut else one.into(DOUBLE).text
    return Sql(f"my_{name}(DISTINCT {text if cut or one.kind == TEXT else one.collated})", kind)


def extreme(node: exp.Expr, to: Translator) -> Sql:
    """MIN and MAX."""
    only(node, "this")
    one = to.sql(single(node)[1])
    return Sql(f"my_{type(node).__name__.lower()}({one.text})", one.kind)


def joined(node: exp.Expr, to: Translator) -> Sql:
    """GROUP_CONCAT."""
    only(node, "this", "separator")
    keys, value, distinct = [], node.this, False
    if isinstance(value, exp.Order):
        keys, value = value.expressions, value.this
    if isinstance(value, exp.Distinct):
        distinct = True
        value = value.expressions[0] if len(value.expressions) == 1 else exp.Concat(expressions=value.expressions)
    if any(isinstance(each.this, exp.Literal) for each in keys):
        raise Refused(written(node))
    separator = to.sql(node.args["separator"]).text if node.args.get("separator") else "','"
    directions = constant("".join("d" if each.args.get("desc") else "a" for each in keys))
    texts = [separator, str(int(distinct)), directions, to.sql(value).read, *(to.sql(each.this).text for each in keys)]
    return Sql(f"my_group_concat({', '.join(texts)})", TEXT)


def window(node: exp.Expr, to: Translator) -> Sql:
    """A function with OVER behind it, over whole partitions or from their beginning."""
    only(node, "this", "partition_by", "order", "over")
    name = type(node.this).__name__
    if name in RANKS:
        only(node.this)
        made = Sql(f"{RANKS[name][0]}()", RANKS[name][1])
    elif isinstance(node.this, (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Count)) and not node.find(exp.Distinct):
        made = to.sql(node.this)
    else:
        raise Refused(written(node))
    parts = [to.sql(each).collated for each in node.args.get("partition_by") or []]
    keys = [ordered(each, to) for each in node.args["order"].expressions] if node.args.get("order") else []
    over = [f"PARTITION BY {', '.join(parts)}"] * bool(parts) + [f"ORDER BY {', '.join(keys)}"] * bool(keys)
    return Sql(f"{made.text} OVER ({' '.join(over)})", made.kind)


def ordered(node: exp.Expr, to: Translator) -> str:
    """A key of an order; a number stands for a column."""
    only(node, "this", "desc", "nulls_first")
    place = isinstance(node.this, exp.Literal) and not node.this.is_string
    text = node.this.name if place else to.sql(node.this).collated
    return f"{text}{' COLLATE my' if place else ''}{' DESC' if node.args.get('desc') else ''}"


CALLED: dict[type[exp.Expr], Callable[[exp.Expr, Translator], Sql]] = {
    **{getattr(exp, name): function for name in CALLS},
    exp.Anonymous: named,
    exp.Length: length,
    exp.Trim: trimmed,
    exp.Pad: padded,
    exp.Round: places,
    exp.Trunc: places,
    exp.Ceil: whole,
    exp.Floor: whole,
    exp.Abs: absolute,
    exp.Cast: cast,
    exp.Count: counted,
    exp.Sum: total,
    exp.Avg: total,
    exp.Min: extreme,
    exp.Max: extreme,
    exp.GroupConcat: joined,
    exp.Window: window,
}
