"""The gradebook in PostgreSQL: a real server on a socket of its own, and the same marks as in SQLite."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from autograde.grading.gradebook import put_tools_on_path
from autograde.layout import CourseError, Layout

from .conftest import LESSON, copy_course
from .recorded import contents, entry, hand_in_judged, record

WEEK, NOTEBOOK = LESSON
FULL = {"count_ngrams": 2.0, "softmax": 3.0, "attend": 2.0, "Scale": 2.0, "draw": 1.0}
SECONDS = 60


def program(name: str) -> str | None:
    """Where a program of PostgreSQL's lies; Debian keeps them out of the path."""
    return shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)


@pytest.fixture(scope="module")
def server():
    """The address of an empty database, on a server that ends with the tests."""
    if not (program("initdb") and program("postgres")):
        why = "PostgreSQL is not installed here (apt install postgresql)"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    # Not below pytest's folder, which others may not enter; a socket's path must be short too.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    # The server refuses to run as root.
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody", user["group"])
    data, log = folder / "data", (folder / "log").open("wb")
    make = [program("initdb"), "-D", data, "-U", "course", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(make, check=True, stdout=log, stderr=log, cwd=folder, **user)
    start = [program("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    process = subprocess.Popen(start, stdout=log, stderr=log, cwd=folder, **user)
    try:
        wait_for(lambda: (folder / ".s.PGSQL.5432").exists() or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield f"postgresql://course@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # its "fast shutdown"
        process.wait(SECONDS)
        log.close()
        shutil.rmtree(folder)


def wait_for(done) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def on_server(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def database(server):
    """A database of the test's own; marks with accents and Korean ids need its UTF-8."""
    on_server(server, "DROP DATABASE IF EXISTS course (FORCE)")
    on_server(server, "CREATE DATABASE course")
    return server.replace("/postgres?", "/course?")


@pytest.fixture
def layout(tmp_path) -> Layout:
    layout = copy_course(tmp_path / "course")
    put_tools_on_path()
    for number, student in enumerate(("ada", "ben", "chen", "하준", "o'brien")):
        hand_in_judged(layout, student, {**FULL, "softmax": number / 2})
    return layout


def grade(layout: Layout, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "autograde", "grade", str(layout.submitted), *more]
    environment = {**os.environ, "COURSE_ROOT": str(layout.root), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pages(layout: Layout) -> list[Path]:
    return list(layout.feedback.glob("*/*/*.html"))


def test_killed_and_graded_again_it_holds_what_sqlite_holds(layout, database):
    process = grade(layout, "--gradebook", database)
    wait_for(lambda: pages(layout) or process.poll() is not None)
    process.kill()
    process.communicate()
    again = grade(layout, "--gradebook", database)
    _, said = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said
    in_postgres = contents(layout, database)
    shutil.rmtree(layout.feedback)
    shutil.rmtree(layout.autograded)
    alone = grade(layout)
    alone.communicate(timeout=SECONDS)
    assert contents(layout) == in_postgres
    assert in_postgres["하준", NOTEBOOK, "check_softmax"][0] == 1.5


def test_a_database_made_anew_gets_its_assignments_again(layout, database, server):
    from autograde.builder.release import ensure_release
    from autograde.grading.gradebook import database_url

    address = database_url(layout, database)
    for _ in range(2):
        ensure_release(layout, address)
        record(layout, [entry(layout, "ada", FULL)], database)
        assert contents(layout, database)["ada", NOTEBOOK, "check_softmax"][0] == 3.0
        on_server(server, "DROP DATABASE course (FORCE)")
        on_server(server, "CREATE DATABASE course")


def test_a_server_that_is_not_there_is_told_in_a_sentence_without_the_password(layout):
    process = grade(layout, "--gradebook", "postgresql://me:s3cret@/course?host=/no/such/folder")
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 2, said
    assert "gradebook" in said
    assert "Traceback" not in said
    assert "s3cret" not in said


def test_a_scheme_that_no_driver_knows_is_a_wrong_call(layout):
    with pytest.raises(CourseError, match="cannot be opened"):
        record(layout, [], "nosuchthing://here/course")
