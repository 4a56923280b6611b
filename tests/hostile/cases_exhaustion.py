"""Submissions that use up what there is, and submissions that end early."""

from __future__ import annotations

from .case import NOTHING, Case

WRONG = "def count_ngrams(documents, n):\n    {}\n"
DROPPED = "only the cell that does it is lost; the others are run again without it"
ONE = "an answer that does not answer costs its own exercise and no other"
BURIED = "what a cell leaves running ends with the submission and costs the answers nothing"
NO_COUNT = {"count_ngrams": 0.0}

EXHAUSTION = {
    "endless_cell": Case("runs a cell that never ends", DROPPED, before="while True:\n    pass"),
    "endless_builtin": Case("loops inside C, where no signal is looked at", DROPPED, before="sum(range(10**14))"),
    "endless_sleep": Case("sleeps and refuses to be woken", DROPPED, before="import time\ntime.sleep(10**6)"),
    "ignores_signals": Case(
        "ignores each signal that can be ignored, then loops",
        DROPPED,
        before="import signal\nfor number in range(1, 32):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
    ),
    "endless_answers": Case(
        "gives two answers that never end",
        "each exercise has its own share of the time, so the three right ones keep their marks",
        answers={
            "count_ngrams": WRONG.format("while True: pass"),
            "Scale": "class Scale:\n    def __init__(self, width):\n        while True: pass",
        },
        marks=NO_COUNT | {"Scale": 0.0},
    ),
    "endless_error_text": Case(
        "raises an error whose text never ends",
        ONE,
        answers={
            "count_ngrams": "class Slow(Exception):\n    def __str__(self):\n        while True: pass\n"
            "def count_ngrams(documents, n):\n    raise Slow"
        },
        marks=NO_COUNT,
    ),
    "endless_pattern": Case(
        "matches a pattern that takes for ever",
        ONE,
        answers={"count_ngrams": "import re\n" + WRONG.format("re.match('(a+)+$', 'a' * 60 + 'b')")},
        marks=NO_COUNT,
    ),
    "memory_in_a_cell": Case(
        "asks for all memory in a cell",
        "the limit turns it into a MemoryError, and the notebook goes on",
        before="import numpy\nparts = []\nwhile True:\n    parts.append(numpy.empty(1 << 28, 'u1'))",
        shown="MemoryError",
    ),
    "memory_in_an_answer": Case(
        "asks torch for a terabyte", ONE, answers={"count_ngrams": WRONG.format("torch.zeros(1 << 38)")}, marks=NO_COUNT
    ),
    "memory_nobody_counts": Case(
        "asks for memory files, which no limit counts",
        "they are refused",
        before="import os\nfiles = [os.memfd_create('m') for _ in range(3)]",
        shown="PermissionError",
    ),
    "fork_bomb": Case(
        "forks without end",
        BURIED + ", or the cell is dropped",
        before="import os\nfor _ in range(10**4):\n    try:\n        os.fork()\n    except OSError:\n        pass",
    ),
    "busy_processes": Case(
        "leaves as many busy processes as it may",
        BURIED + "; others are slowed down, not failed",
        before="import os\ntry:\n    for _ in range(100):\n        if os.fork() == 0:\n            while True: pass\n"
        "except OSError:\n    print('the limit was met')",
    ),
    "thread_bomb": Case(
        "starts threads without end",
        "the limit stops it in its cell; its threads leave no room for its exercises' processes, so it is dropped",
        before="import threading, time\nwhile True:\n"
        "    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    ),
    "many_files": Case(
        "makes files without end",
        "its own file system in memory is full, and it is told so",
        before="n = 0\nwhile True:\n    open(f'{n}', 'w').write('x')\n    n += 1",
        shown="No space left",
    ),
    "large_file": Case(
        "writes a file without end",
        "the limit on a file's length ends it",
        before="with open('large', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))",
        shown="File too large",
    ),
    "full_disk": Case(
        "fills each place it may write to",
        "the places are its own, and go with it",
        # Asked for and not written: a busy machine must come to the end of it in the time of one cell.
        before="import os\n"
        "for place in ('/tmp', '/dev/shm', '.'):\n    try:\n        for n in range(99):\n"
        "            with open(f'{place}/f{n}', 'wb') as file:\n"
        "                os.posix_fallocate(file.fileno(), 0, 16 << 20)\n"
        "    except OSError as error:\n        print(place, error.strerror)",
        shown="/tmp No space left on device",
    ),
    "many_descriptors": Case(
        "opens files without end",
        "the limit is met in its own cell; its exercises' copies then have no room for a socket",
        before="kept = []\ntry:\n    while True:\n        kept.append(open('/dev/null'))\nexcept OSError as error:\n"
        "    print(error.strerror)\nkept.clear()",
        shown="Too many open files",
    ),
    "much_output": Case(
        "prints 100 MB on one line",
        "output is cut, and the cut is shown",
        before="print('x' * 10**8)",
        shown="more characters were cut",
    ),
    "output_during_tests": Case(
        "prints without end while it is tested",
        "what is printed there goes nowhere, and time is limited",
        answers={"count_ngrams": WRONG.format("while True: print('x' * 10**6)")},
        marks=NO_COUNT,
    ),
    "large_result": Case(
        "returns ten million numbers",
        "too many, or simply wrong: one exercise",
        answers={"count_ngrams": WRONG.format("return list(range(10**7))")},
        marks=NO_COUNT,
    ),
    "enormous_number": Case(
        "returns a number of a million digits",
        "numbers that long are refused before anyone prints them",
        answers={"count_ngrams": WRONG.format("return {(1,): 1 << 4_000_000}")},
        marks=NO_COUNT,
    ),
    "deep_result": Case(
        "returns a list 100,000 deep",
        "nesting is bounded",
        answers={"count_ngrams": WRONG.format("x = []\n    for _ in range(10**5): x = [x]\n    return x")},
        marks=NO_COUNT,
    ),
    "colliding_keys": Case(
        "returns a dictionary whose keys all collide",
        "such a dictionary is refused while decoding: filling it would take the judge minutes",
        answers={"count_ngrams": WRONG.format("return [dict.fromkeys(k * (2**61 - 1) for k in range(1, 3000))]")},
        marks=NO_COUNT,
    ),
    "endless_recursion": Case(
        "calls itself for ever",
        ONE,
        answers={"count_ngrams": WRONG.format("return count_ngrams(documents, n)")},
        marks=NO_COUNT,
    ),
    "recursion_without_limit": Case(
        "calls itself until the stack runs over",
        ONE,
        answers={
            "count_ngrams": "import sys\n"
            + WRONG.format("sys.setrecursionlimit(10**9)\n    return count_ngrams(documents, n)")
        },
        marks=NO_COUNT,
    ),
}

EARLY_EXIT = {
    "exits_in_a_cell": Case("leaves by os._exit in a cell", DROPPED, before="import os\nos._exit(0)"),
    "exits_in_an_answer": Case(
        "leaves by os._exit when it is called",
        ONE,
        answers={"count_ngrams": "import os\n" + WRONG.format("os._exit(0)")},
        marks=NO_COUNT,
    ),
    "exits_politely": Case("calls sys.exit in a cell", "only that cell stops", before="import sys\nsys.exit(0)"),
    "exits_politely_in_an_answer": Case(
        "calls sys.exit when it is called",
        ONE,
        answers={"count_ngrams": WRONG.format("raise SystemExit(0)")},
        marks=NO_COUNT,
    ),
    "segfaults_in_a_cell": Case("reads address 0 in a cell", DROPPED, before="import ctypes\nctypes.string_at(0)"),
    "segfaults_in_an_answer": Case(
        "reads address 0 when it is called",
        ONE,
        answers={"count_ngrams": "import ctypes\n" + WRONG.format("ctypes.string_at(0)")},
        marks=NO_COUNT,
    ),
    "aborts": Case("aborts", DROPPED, before="import os\nos.abort()"),
    "kills_itself": Case("kills itself", DROPPED, before="import os\nos.kill(os.getpid(), 9)"),
    "kills_everything": Case(
        "kills all processes that it can see, when it is called",
        "it sees its own alone; the copies kept for its other exercises die too, and their first check with them",
        answers={
            "draw": "import os\ndef draw(n, generator):\n"
            "    os.kill(-1, 9)\n    os.kill(1, 9)\n    os.kill(os.getppid(), 9)"
        },
        marks={"count_ngrams": 1.0, "softmax": 2.0, "Scale": 1.0, "draw": 0.0},
    ),
    "stops_itself": Case(
        "stops itself by a signal",
        "a stopped process is a silent one: the time limit ends it",
        before="import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    ),
    "closes_everything": Case("closes all descriptors", DROPPED, before="import os\nos.closerange(0, 256)"),
    "dies_when_made": Case(
        "has a constructor that ends the process",
        ONE,
        answers={"Scale": "import os\nclass Scale(nn.Module):\n    def __init__(self, width):\n        os._exit(1)"},
        marks={"Scale": 0.0},
    ),
    "dies_when_forked": Case(
        "ends each copy of its process",
        "no copy, no exercise: it has only itself to blame",
        after="import os\nos.register_at_fork(after_in_child=lambda: os._exit(3))",
    ),
    "dies_four_times": Case(
        "ends the process in four cells",
        "three such cells are dropped; at the fourth all of its own are, and the answers still count",
        after="import os\nos._exit(0)",
        edit=lambda notebook: {**notebook, "cells": [*notebook["cells"], *[notebook["cells"][-1]] * 3]},
    ),
    "dies_eight_times": Case(
        "ends the process in eight cells above its answers",
        "at the fourth all cells of its own are dropped, and the answers are left",
        before="import os\nos._exit(0)",
        edit=lambda notebook: {**notebook, "cells": [*[notebook["cells"][0]] * 7, *notebook["cells"]]},
    ),
    "dies_in_each_answer": Case(
        "ends the process in each answer",
        "at the fifth all below it is dropped: somewhere it has to end",
        answers=dict.fromkeys(NOTHING, "import os\nos._exit(0)"),
        marks=NOTHING,
    ),
    "interrupts": Case("raises KeyboardInterrupt", "only that cell stops", before="raise KeyboardInterrupt"),
}
