# ruff: noqa: S608 (names are quoted, and values are translated: nothing of the text that was read is copied)
"""A statement of MySQL's as one of SQLite's that does the same.

What `reading.py` has read is written anew for SQLite, each operator and function as a call of one in `arithmetic.py`
and so on. What is not known here is refused, so that nothing is answered otherwise unnoticed.
"""

from collections.abc import Callable, Sequence

from sqlglot import exp

from .kinds import TEXT, Refused, Sql, only, written
from .queries import HIDDEN, Queries
from .reading import parsed
from .tables import Failed, Table, quoted


def translated(statement: str, tables: Sequence[Table]) -> str:
    """A statement on these tables for SQLite.

    Raises:
        Failed: it is not MySQL's.
        Refused: there is something in it that SQLite cannot do as MySQL does.
    """
    try:
        text, tree = parsed(statement)
        to = Queries(text, tables)
        change = CHANGES.get(type(tree))
        return change(to, tree) if change else to.query(tree).whole
    except RecursionError:
        raise Refused("so many parts in each other") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # sqlglot accepts more than MySQL does, and what it makes of that may lack any part.
        raise Failed("Error: syntax error") from None


def insert(to: Queries, node: exp.Expr) -> str:
    """INSERT: what a column of text keeps is written as MySQL writes it."""
    only(node, "this", "expression", "ignore")
    target, names = node.this, []
    if isinstance(target, exp.Schema):
        target, names = target.this, [each.name for each in target.expressions]
    only(target, "this")
    table, to.strict = to.table(target), not node.args.get("ignore")
    names = names or to.tables[target.name]
    into = f"INSERT INTO {table} ({', '.join(map(quoted, names))})"
    if isinstance(node.expression, exp.Values):
        rows = [each.expressions if isinstance(each, exp.Tuple) else [each] for each in node.expression.expressions]
        texts = [", ".join(f"my_stored({to.sql(value).text})" for value in row) for row in rows]
        return f"{into} VALUES {', '.join(f'({text})' for text in texts)}"
    listed = [f"`{place}`" for place in range(len(names))]
    kept = ", ".join(f"my_stored({name})" for name in listed)
    return f"{into} WITH new({', '.join(listed)}) AS ({to.query(node.expression).text}) SELECT {kept} FROM new"


def update(to: Queries, node: exp.Expr) -> str:
    """UPDATE: an assignment sees what those before it have set."""
    only(node, "this", "expressions", "where", "order", "limit")
    to.strict = True
    target, where = to.source(node.this), rows(to, node)
    assigned = []
    for each in node.expressions:
        if not isinstance(each, exp.EQ) or not isinstance(each.this, exp.Column):
            raise Refused(written(each))
        text = f"my_stored({to.sql(each.expression).text})"
        assigned.append(f"{quoted(each.this.name)} = {text}")
        to.replaced[each.this.name.lower()] = Sql(text, TEXT)
    return f"UPDATE {target} SET {', '.join(assigned)}{where}"


def delete(to: Queries, node: exp.Expr) -> str:
    """DELETE."""
    only(node, "this", "tables", "where", "order", "limit")
    if [each.name for each in node.args.get("tables") or []] not in ([], [node.this.alias_or_name]):
        raise Refused(written(node))
    return f"DELETE FROM {to.source(node.this)}{rows(to, node)}"


def rows(to: Queries, node: exp.Expr) -> str:
    """Which rows are changed; where only some of them are, in an order, these are looked up."""
    where = f" WHERE {to.condition(node.args['where'].this)}" if node.args.get("where") else ""
    if not node.args.get("limit"):
        return where
    columns = [column.lower() for column in to.tables[node.this.name]]
    hidden = next(name for name in HIDDEN if name not in columns)
    return f" WHERE {hidden} IN (SELECT {hidden} FROM {to.source(node.this)}{where}{to.tail(node)})"


CHANGES: dict[type[exp.Expr], Callable[[Queries, exp.Expr], str]] = {
    exp.Insert: insert,
    exp.Update: update,
    exp.Delete: delete,
}
