"""Whether a gradebook knows the course as it is now. Without nbgrader, whose import takes two seconds."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from ..layout import Layout

FILE = "sqlite:///"


def is_entered(layout: Layout, db_url: str) -> bool:
    """Return whether every week stands in a gradebook in its present form, as far as can be told without a server."""
    weeks = {week for week, _ in layout.lessons()}
    return db_url.startswith(FILE) and all(
        entered_stamp(layout, week, db_url).exists() and is_in_file(Path(db_url.removeprefix(FILE)), week)
        for week in weeks
    )


def entered_stamp(layout: Layout, week: str, db_url: str) -> Path:
    """Return the file whose presence says that this form of the week stands in that gradebook."""
    digest = hashlib.sha256(db_url.encode())
    for source in sorted((layout.solutions / week).glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    if db_url.startswith(FILE):
        # A gradebook that was deleted and made anew has another inode, and needs its assignments again.
        database = Path(db_url.removeprefix(FILE))
        digest.update(str(database.stat().st_ino if database.exists() else "none").encode())
    return layout.build / "entered" / f"{week}-{digest.hexdigest()[:16]}"


def is_in_file(path: Path, week: str) -> bool:
    """Return whether an SQLite file has an assignment of that name."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path)) as database:
        try:
            return database.execute("SELECT 1 FROM assignment WHERE name = ?", (week,)).fetchone() is not None
        except sqlite3.Error:
            return False  # entering the week will say what is wrong
