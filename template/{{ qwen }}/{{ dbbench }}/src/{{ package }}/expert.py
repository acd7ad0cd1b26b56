"""How someone who knows the answer plays a task, with a thought for every move."""

from .engine.dbbench.task import Task
from .engine.mysql.tables import quoted
from .engine.task import Call

LOOKS = (
    "Every column is text, so I look at a few rows to see how the values are written.",
    "Before I write the statement I want to see what the rows look like.",
    "A few rows will show me the form of the values.",
)
WRITES = {
    "INSERT": "The task gives a value for every column, so one INSERT adds the row.",
    "UPDATE": "One UPDATE sets the new values in the rows that are meant, and in no others.",
    "DELETE": "One DELETE removes the rows that are meant, and no others.",
}
READS = {
    "counting": "I count the rows that fulfil the condition.",
    "ranking": "I order the rows by that column as a number and take the first.",
    "comparison": "I select the rows that fulfil the condition, comparing numbers as numbers.",
    "other": "I select the column that is asked for, with the condition that the question gives.",
}
TOTAL = "I let the database work out the number over the rows that fulfil the condition."


def expert(task: Task) -> list[tuple[str, Call]]:
    """Its moves: a look at the table, unless all is in the question; then the statement; then the answer.

    Where no statement is known, as for the questions of AgentBench's files, it looks and answers.
    """
    moves = []
    if task.kind != "INSERT":
        table = task.tables[0]
        look = f"SELECT * FROM {quoted(table.name)} LIMIT 3"  # noqa: S608
        moves.append((LOOKS[sum(map(ord, task.id)) % len(LOOKS)], query(look)))
    if task.sql:
        moves.append((WRITES.get(task.kind) or READS.get(task.kind, TOTAL), query(task.sql)))
    if task.changes:
        return [*moves, ("The table is changed as asked, so I commit.", commit("done"))]
    return [*moves, ("That is what was asked for, so I commit it as it stands.", commit(*task.answers))]


def query(statement: str) -> Call:
    """A move: execute a statement."""
    return Call("execute_sql", {"query": statement})


def commit(*answers: str) -> Call:
    """The last move."""
    return Call("commit_final_answer", {"answers": list(answers)})
