# ruff: noqa: S608 (names are quoted, and values are translated: nothing of the text that was read is copied)
"""Queries of MySQL's in SQLite's SQL: SELECT with all that belongs to it, and what the names in it mean."""

from collections.abc import Sequence

from sqlglot import exp

from .calls import CALLED, ordered
from .kinds import NULL, STAR, TEXT, UNKNOWN, Kind, Query, Refused, Selection, Sql, only, written
from .operators import CONDITIONS, OPERATORS
from .tables import Failed, Table, quoted

LONGEST = 100_000
"""Characters that a part of a statement may get."""
TRANSLATED = {**CONDITIONS, **OPERATORS, **CALLED}
HIDDEN = ("_rowid_", "rowid", "oid")
"""What SQLite calls the number of a row, unless a column is called so."""


class Queries:
    """Of one statement: what its names mean, and where it is. A `Translator`."""

    def __init__(self, text: str, tables: Sequence[Table]) -> None:
        self.text = text
        self.tables = {table.name: list(table.columns) for table in tables}
        self.sources = set(self.tables)
        self.kinds = {column.lower(): TEXT for table in tables for column in table.columns}
        self.replaced: dict[str, Sql] = {}
        self.recursive: list[str] | None = None
        self.strict = False

    # ---- Expressions

    def sql(self, node: exp.Expr) -> Sql:
        """An expression.

        Raises:
            Refused: it cannot be translated.
        """
        if type(node) not in TRANSLATED:
            raise Refused(written(node))
        outer = self.replaced
        if isinstance(node, exp.AggFunc):
            self.replaced = {}
        made = TRANSLATED[type(node)](node, self)
        self.replaced = outer
        if len(made.text) > LONGEST:
            raise Refused("a statement that long")
        return made

    def number(self, node: exp.Expr, check: str = "checked") -> Sql:
        """An expression that has to be a number."""
        made = self.sql(node)
        if not self.strict or made.kind not in {TEXT, UNKNOWN}:
            return made
        empty = ", 1" if check == "checked" and isinstance(node.unnest(), exp.Column) else ""
        return Sql(f"my_{check}({made.text}{empty})", made.kind)

    def condition(self, node: exp.Expr) -> str:
        """An expression that holds or not."""
        inner = node.unnest()
        return self.sql(inner).text if type(inner) in CONDITIONS else f"my_true({self.number(inner).text})"

    def column(self, node: exp.Expr) -> Sql:
        """A column, or what stands for it."""
        only(node, "this", "table")
        if not isinstance(node.this, exp.Identifier):
            raise Refused(written(node))
        name, table = node.name.lower(), node.args.get("table")
        if name in self.replaced and not table:
            return self.replaced[name]
        if name in HIDDEN and name not in self.kinds:
            raise Failed(f"Error: Unknown column '{node.name}'")
        place = f"{quoted(table.name)}." if table else ""
        return Sql(f"{place}{quoted(node.name)}", self.kinds.get(name, UNKNOWN))

    def learn(self, name: str, kind: Kind) -> None:
        """A name that a query gives to a column. Where several have it, nothing is known of it."""
        self.kinds[name.lower()] = kind if self.kinds.get(name.lower(), kind) == kind else UNKNOWN

    # ---- Queries

    def query(self, node: exp.Expr) -> Query:
        """A SELECT, or several with UNION between them."""
        while isinstance(node, exp.Subquery) and not any(value for key, value in node.args.items() if key != "this"):
            node = node.this
        if isinstance(node, exp.Select):
            return Query("", (self.selection(node),), (), "")
        parts: list[exp.Expr] = []
        words: list[str] = []
        first = node
        while isinstance(first, exp.Union) and (
            first is node or not (first.args.get("order") or first.args.get("limit"))
        ):
            only(
                first,
                "this",
                "expression",
                "distinct",
                *(("with_", "order", "limit", "offset") if first is node else ()),
            )
            words.insert(0, " UNION " if first.args.get("distinct") else " UNION ALL ")
            parts.insert(0, first.expression)
            first = first.this
        if not words:
            raise Refused(written(node))
        before = self.ctes(node)
        start = self.part(first)
        for name, (one, _) in zip(self.recursive or [], start.columns, strict=False):
            self.learn(name, one.kind)  # what follows may name it
        selections = (start, *(self.part(each) for each in parts))
        if " UNION ALL " in words or self.recursive is not None:
            return Query(before, selections, tuple(words), self.tail(node))
        # SQLite would put them in order, and keep another of two that differ in case.
        words = [" UNION ALL "] * len(words)
        return Query(f"{before}SELECT DISTINCT * FROM (", selections, tuple(words), f"){self.tail(node)}")

    def part(self, node: exp.Expr) -> Selection:
        """One of the queries with UNION between them; in parentheses it may have an order and a limit of its own."""
        bare = node.this if isinstance(node, exp.Subquery) else node
        if isinstance(bare, exp.Select) and not any(bare.args.get(key) for key in ("order", "limit", "with_")):
            return self.selection(bare)
        return Selection("SELECT ", ((Sql("*", NULL), STAR),), f" FROM ({self.query(bare).text})")

    def selection(self, node: exp.Expr) -> Selection:
        """One SELECT."""
        clauses = ("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset")
        only(node, "with_", "distinct", *clauses)
        before = self.ctes(node)
        after = self.origin(node)
        if node.args.get("where"):
            after += f" WHERE ({self.condition(node.args['where'].this)})"
        single = not node.args.get("group") and not any(each.find(exp.AggFunc) for each in node.expressions)
        columns = tuple(self.projection(each) for each in node.expressions)
        if node.args.get("group"):
            after += f" GROUP BY {', '.join(self.keys(node.args['group']))}"
        if node.args.get("having"):
            # Here a name is that of a column of the result before it is that of a table's.
            named = {
                each.alias.lower(): one for each, (one, _) in zip(node.expressions, columns, strict=True) if each.alias
            }
            outer, self.replaced = self.replaced, named
            word = (" AND" if node.args.get("where") else " WHERE") if single else " HAVING"
            after += f"{word} {self.condition(node.args['having'].this)}"
            self.replaced = outer
        distinct = ""
        if node.args.get("distinct"):
            only(node.args["distinct"])
            distinct = "DISTINCT "
        return Selection(f"{before}SELECT {distinct}", columns, after + self.tail(node))

    def ctes(self, node: exp.Expr) -> str:
        """WITH."""
        if not node.args.get("with_"):
            return ""
        only(node.args["with_"], "expressions", "recursive")
        made = []
        for each in node.args["with_"].expressions:
            only(each, "this", "alias")
            name, columns = each.alias, [column.name for column in each.args["alias"].args.get("columns") or []]
            self.sources.add(name)
            outer, self.recursive = self.recursive, columns if node.args["with_"].args.get("recursive") else None
            query = self.query(each.this)
            self.recursive = outer
            for column, kind in zip(columns, query.kinds, strict=False):
                self.learn(column, kind)
            listed = f"({', '.join(map(quoted, columns))})" if columns else ""
            made.append(f"{quoted(name)}{listed} AS ({query.text})")
        return f"WITH {'RECURSIVE ' if node.args['with_'].args.get('recursive') else ''}{', '.join(made)} "

    def origin(self, node: exp.Expr) -> str:
        """FROM, and what is joined to it."""
        if not node.args.get("from_"):
            return ""
        first, joins = node.args["from_"].this, node.args.get("joins") or []
        if isinstance(first, exp.Table) and first.name.upper() == "DUAL" and not joins:
            return ""
        return f" FROM {self.source(first)}{''.join(self.join(each) for each in joins)}"

    def join(self, node: exp.Expr) -> str:
        """What is joined, and how."""
        only(node, "this", "side", "kind", "method", "on", "using")
        words = [str(node.args.get(name) or "").upper() for name in ("method", "side", "kind")]
        if not set(words) <= {"", "NATURAL", "LEFT", "RIGHT", "INNER", "CROSS", "OUTER"}:
            raise Refused(written(node))
        text = f" {' '.join([*filter(None, words), 'JOIN'])} {self.source(node.this)}"
        if node.args.get("on"):
            return f"{text} ON {self.condition(node.args['on'])}"
        using = [quoted(each.name) for each in node.args.get("using") or []]
        return f"{text} USING ({', '.join(using)})" if using else text

    def source(self, node: exp.Expr) -> str:
        """A table, or a query that has a name."""
        only(node, "this", "alias")
        alias = f" AS {quoted(node.alias)}" if node.alias else ""
        if node.args.get("alias"):
            only(node.args["alias"], "this")
        if isinstance(node, exp.Subquery) and alias:
            return f"({self.query(node.this).text}){alias}"
        if not isinstance(node, exp.Table):
            raise Refused(f"{written(node)} without a name")
        return f"{self.table(node)}{alias}"

    def table(self, node: exp.Expr) -> str:
        """The name of a table that is there: no text, which sqlglot would take for one."""
        if self.text[node.this.meta.get("start", 0)] in "'\"":
            raise Failed(f"Error: syntax error: a text where a table is named, near '{node.name}'")
        if not isinstance(node.this, exp.Identifier) or node.name not in self.sources:
            raise Failed(f"Error: Table '{node.name}' doesn't exist")
        return quoted(node.name)

    def projection(self, node: exp.Expr) -> tuple[Sql, str]:
        """A column of a result, and its name."""
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            only(node, "this", "table")
            place = f"{quoted(node.args['table'].name)}." if node.args.get("table") else ""
            return Sql(f"{place}*", NULL), STAR
        inner = node.this if isinstance(node, exp.Alias) else node
        made, name = (
            self.sql(inner),
            node.alias or (inner.name if isinstance(inner, exp.Column) else inner.sql("mysql")),
        )
        if not isinstance(inner, exp.Column) or node.alias:
            self.learn(name, made.kind)
        return made, f" AS {quoted(name)}"

    def keys(self, node: exp.Expr) -> list[str]:
        """GROUP BY; a number stands for a column."""
        only(node, "expressions")
        return [
            each.name if isinstance(each, exp.Literal) and not each.is_string else self.sql(each).collated
            for each in node.expressions
        ]

    def tail(self, node: exp.Expr) -> str:
        """ORDER BY and LIMIT."""
        text = ""
        if node.args.get("order"):
            text += f" ORDER BY {', '.join(ordered(each, self) for each in node.args['order'].expressions)}"
        for name in ("limit", "offset"):
            if node.args.get(name):
                count = node.args[name].expression
                if not isinstance(count, exp.Literal) or not count.name.isdigit():
                    raise Refused(written(node.args[name]))
                text += f" {name.upper()} {count.name}"
        return text
