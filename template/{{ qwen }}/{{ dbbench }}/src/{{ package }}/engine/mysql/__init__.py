"""MySQL on SQLite: its values and functions, and its statements translated to those of SQLite, or refused."""
