"""A student's first ten minutes: JupyterLab opens a notebook, an answer is typed and checked, Validate answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = "week1_rnn_limits/1_ngrams.ipynb"
TOKEN = "a-token-for-this-test-only"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Local only: no look-ups, no updates, no first-run pages.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ANSWER = """
def count_ngrams(documents, n):
    return Counter(tuple(d[i:i + n]) for d in documents for i in range(len(d) - n + 1))
"""

# Playwright's own event loop leaves sockets to the garbage collector when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def browser_path() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium or Chrome on this machine; install one (apt install chromium) to run the browser test")
    return found


@pytest.fixture
def lab(tmp_path):
    """JupyterLab as `course lab` starts it, on a copy of the notebooks."""
    work = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", work)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--IdentityProvider.token={TOKEN}", f"--port={port}", "--no-browser", "--LabApp.news_url="]
    command = [sys.executable, "-m", "autograde", "lab", "--notebooks", str(work), "--", *options]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, tmp_path / "lab.log")
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={TOKEN}"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str, server: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture
def page(browser_path, lab):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(lab)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        yield page
        browser.close()


def cell_of(page, text: str):
    """The notebook's cell that holds a text; JupyterLab draws cells when they come near, so scroll until it does."""
    for _ in range(60):
        found = page.locator(".jp-Notebook .jp-Cell", has_text=text).first
        if found.count():
            found.scroll_into_view_if_needed()
            return found
        page.locator(".jp-WindowedPanel-outer").first.evaluate("e => e.scrollBy(0, 500)")
        page.wait_for_timeout(150)
    raise AssertionError(f"no cell shows {text!r}")


def run(page, cell) -> None:
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def test_a_student_answers_an_exercise_and_reads_the_verdict(page):
    run(page, cell_of(page, "import math"))
    answer = cell_of(page, "def count_ngrams")
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(ANSWER.strip())
    page.keyboard.press("Control+Enter")
    check = cell_of(page, "the worked example")
    run(page, check)
    page.wait_for_function("e => e.textContent.includes('✓')", arg=check.element_handle())
    page.get_by_role("button", name="Validate").first.click()
    verdict = page.locator(".jp-Dialog", has_text="Validation Results")
    verdict.wait_for(timeout=120_000)
    # Validate runs the notebook from its top and stops at the first check that fails: the next exercise.
    assert "ngram_log_prob" in verdict.inner_text()
    assert "NotImplementedError" in verdict.inner_text()
