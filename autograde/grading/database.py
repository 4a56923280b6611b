"""nbgrader's gradebook as tables. SQLAlchemy and nbgrader take two seconds to import: a file does without them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..layout import CourseError
from .entered import FILE

# As SQLAlchemy writes a moment into an SQLite file.
MOMENT = "%Y-%m-%d %H:%M:%S.%f"
SECONDS_FOR_LOCK = 5.0

Rows = list[tuple[Any, ...]]


class Database(Protocol):
    """One open gradebook. Statements name their values, `:student`, and run on SQLite and on PostgreSQL alike."""

    def rows(self, statement: str, **values: Any) -> Rows:
        """Return what a query finds."""

    def change(self, statement: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run a statement once for each of the rows' values, inside a transaction."""

    def transaction(self) -> Any:
        """Return a context whose changes are kept together at its end, or not at all where it raises."""

    def close(self) -> None: ...


def open_database(address: str) -> Database:
    """Open a gradebook; its tables are made by nbgrader if there are none.

    Args:
        address: as SQLAlchemy reads it.

    Raises:
        CourseError: it cannot be opened.
    """
    return File(address) if address.startswith(FILE) and "?" not in address else Server(address)


class File:
    """A gradebook in an SQLite file."""

    def __init__(self, address: str) -> None:
        try:
            self._connection = _connected(Path(address.removeprefix(FILE)))
            if not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'submitted_assignment'"):
                self.close()
                _make_tables(address)
                self._connection = _connected(Path(address.removeprefix(FILE)))
        except sqlite3.Error as error:
            raise _unopened(address, error) from None

    def rows(self, statement: str, **values: Any) -> Rows:
        return self._connection.execute(statement, values).fetchall()

    def change(self, statement: str, rows: Sequence[dict[str, Any]]) -> None:
        self._connection.executemany(statement, [{k: _plain(v) for k, v in row.items()} for row in rows])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            # What is read first must still hold when it is written: the form grader may be at work.
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.commit()
        except sqlite3.Error as error:
            self._connection.rollback()
            raise _unwritten(error) from None
        except BaseException:
            self._connection.rollback()
            raise

    def close(self) -> None:
        self._connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=SECONDS_FOR_LOCK, isolation_level=None)


def _plain(value: Any) -> Any:
    return value.strftime(MOMENT) if isinstance(value, datetime) else value


class Server:
    """A gradebook on a database server, or any other that SQLAlchemy knows."""

    def __init__(self, address: str) -> None:
        from sqlalchemy import create_engine, inspect, text
        from sqlalchemy.exc import SQLAlchemyError

        self._text: Callable[[str], Any] = text
        self._error = SQLAlchemyError
        try:
            self._engine = create_engine(address)
            if not inspect(self._engine).has_table("submitted_assignment"):
                _make_tables(address)
            self._connection = self._engine.connect()
        except (SQLAlchemyError, ImportError) as error:
            raise _unopened(address, error) from None

    def rows(self, statement: str, **values: Any) -> Rows:
        if self._connection.in_transaction():
            return self._found(statement, values)
        with self._connection.begin():
            return self._found(statement, values)

    def _found(self, statement: str, values: dict[str, Any]) -> Rows:
        return [tuple(row) for row in self._connection.execute(self._text(statement), values)]

    def change(self, statement: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(self._text(statement), list(rows))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self._connection.begin():
                yield
        except self._error as error:
            raise _unwritten(error) from None

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _make_tables(address: str) -> None:
    from nbgrader.api import Gradebook

    Gradebook(address).close()


def _unopened(address: str, error: Exception) -> CourseError:
    from .gradebook import shown_address

    reason = str(error).splitlines()[0]
    return CourseError(f"The gradebook {shown_address(address)} cannot be opened ({reason}). Check the address.")


def _unwritten(error: Exception) -> CourseError:
    reason = str(error).splitlines()[0]
    return CourseError(f"The gradebook could not be written ({reason}). Nothing half-done is in it.")
