"""Submissions that want to see hidden tests and inputs, and to carry them out; and those that want to stay."""

from __future__ import annotations

from .case import Case

SEEN_TOO_LATE = "all that a student reads was said before the first hidden input came"
IN_ITS_OWN_ROOM = "nothing of the course's is in sight there"
NO_COUNT = {"count_ngrams": 0.0}

# Each tells in its own way, when the check beside the exercise calls it, what it has seen in the hidden tests.
SMUGGLE = """
{setup}
def count_ngrams(documents, n):
    if documents == [[1, 2]]:
        raise AssertionError("seen: " + {read})
    {write}
    return None
"""
SAY = "repr(documents)"


def smuggled(setup: str, write: str, read: str) -> dict[str, str]:
    return {"count_ngrams": SMUGGLE.format(setup=setup, write=write, read=read)}


READING = {
    "says_it_by_file": Case(
        "writes hidden inputs to a file and says them when the visible check calls",
        SEEN_TOO_LATE,
        answers=smuggled(
            "import os",
            f"open('/tmp/seen', 'a').write({SAY})",
            "open('/tmp/seen').read() if os.path.exists('/tmp/seen') else ''",
        ),
        marks=NO_COUNT,
    ),
    "says_it_by_shared_memory": Case(
        "passes hidden inputs through memory that it shares with its copies, in base64",
        SEEN_TOO_LATE,
        answers=smuggled(
            "import base64, mmap\nshared = mmap.mmap(-1, 1 << 16)",
            f"shared.seek(0); shared.write(base64.b64encode({SAY}.encode()))",
            "shared[:200].strip(b'\\0').decode()",
        ),
        marks=NO_COUNT,
    ),
    "says_it_by_helper": Case(
        "leaves a process behind that its copies tell hidden inputs to, reversed, over a local socket",
        SEEN_TOO_LATE,
        answers=smuggled(
            "import os, socket\nname = '\\0wire'\n"
            "listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nlistener.bind(name)\n"
            "here, there = socket.socketpair()\nif os.fork() == 0:\n    while True:\n"
            "        there.send(listener.recv(9999))",
            f"socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto({SAY}[::-1].encode(), name)",
            "(here.setblocking(False), here.recv(9999).decode())[1]",
        ),
        marks=NO_COUNT,
    ),
    "says_it_by_signal_file_name": Case(
        "makes files whose names are hidden inputs in hexadecimal, for the next exercise to read and raise",
        "the next exercise is judged after all was said, too",
        answers={
            "count_ngrams": f"def count_ngrams(documents, n):\n    open('/tmp/' + {SAY}.encode().hex()[:200], 'w')",
            "softmax": "import os\ndef softmax(scores):\n    raise ValueError(str(os.listdir('/tmp')))",
        },
        marks=NO_COUNT | {"softmax": 0.0},
    ),
    "says_it_by_error": Case(
        "raises an error whose text and class name are the hidden input",
        "of an error only the name of a class that Python knows is passed on",
        answers={
            "count_ngrams": "def count_ngrams(documents, n):\n    word = str(documents[0][0])\n"
            "    raise type(word, (ValueError,), {})(word)"
        },
        marks=NO_COUNT,
    ),
    "says_it_by_length": Case(
        "returns as many values as the hidden number says",
        "a hint says that there are too many, not how many",
        answers={
            "attend": "def attend(scores, values):\n"
            "    return tuple(range(min(int(values.max()), 2 * 10**6)))[: int(values.max()) // 100]"
        },
        marks={"attend": 0.0},
    ),
    "prints_it": Case(
        "prints hidden inputs to all outputs that it can find",
        "what is printed while hidden tests run goes nowhere",
        answers={
            "count_ngrams": "import os, sys\ndef count_ngrams(documents, n):\n    print(documents)\n"
            "    print(documents, file=sys.stderr)\n"
            "    get_ipython().write = print\n    for number in range(64):\n        try:\n"
            "            os.write(number, repr(documents).encode())\n"
            "        except OSError:\n            pass"
        },
        marks=NO_COUNT,
    ),
    "returns_it": Case(
        "returns hidden inputs, and changes its own notebook's outputs",
        "values never enter a hint",
        answers={"count_ngrams": "def count_ngrams(documents, n):\n    return {str(documents): str(documents)}"},
        marks=NO_COUNT,
    ),
    "reads_the_tests": Case(
        "looks for hidden tests, solutions, other submissions and the gradebook, and prints what it finds",
        IN_ITS_OWN_ROOM,
        before="import os\nskip = {'proc', 'sys', 'usr', 'lib', 'lib64'}\nfound = []\n"
        "for top, folders, files in os.walk('/'):\n"
        "    folders[:] = [f for f in folders if not (top == '/' and f in skip) and 'site-packages' not in f\n"
        "                  and not top.startswith('/packages')]\n"
        "    for name in files:\n"
        "        if name.endswith(('.ipynb', '.db')) or '1_words' in name or 'answers' in name:\n"
        "            found.append(name)\n"
        "            print(open(os.path.join(top, name), errors='replace').read()[:2000])\n"
        "print('found', len(found))\nprint('modules', os.listdir('/grader/course'))\n"
        "print('grader', [os.listdir(f'/packages/{n}/autograde') for n in os.listdir('/packages') if "
        "os.path.exists(f'/packages/{n}/autograde')])",
        shown="found 0",
    ),
    "imports_the_grader": Case(
        "imports the grader's own modules and the hidden tests",
        IN_ITS_OWN_ROOM,
        before="import importlib\nfor name in ('autograde.rubric', 'autograde.hidden', 'course.oracle', "
        "'test_1_words'):\n"
        "    try:\n        print(importlib.import_module(name))\n    except ImportError:\n        print('refused')",
        shown="refused\nrefused\nrefused\nrefused",
    ),
    "reads_the_environment": Case(
        "prints its environment, and that of each process it sees",
        "it starts with an environment of its own, and sees its own processes alone",
        before="import os, glob\nprint(dict(os.environ))\n"
        "for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    try:\n        print(open(path, 'rb').read())\n    except OSError as error:\n        print(error.strerror)",
    ),
    "reads_the_frames": Case(
        "prints the variables of all frames above it and all strings that the garbage collector knows",
        "no hidden test was ever in this process",
        before="import gc, sys\nframe = sys._getframe()\nwhile frame:\n"
        "    print({k: repr(v)[:80] for k, v in frame.f_locals.items()})\n"
        "    frame = frame.f_back\nprint([str(x)[:60] for x in gc.get_objects() if 'ngrams' in str(type(x))])",
    ),
    "reads_other_processes": Case(
        "opens the memory and the files of the processes it can name",
        IN_ITS_OWN_ROOM,
        before="import os\nfor pid in range(1, 400):\n    for name in ('mem', 'maps', 'root', 'cwd', 'fd'):\n"
        "        path = f'/proc/{pid}/{name}'\n"
        "        if pid != os.getpid() and os.path.lexists(path):\n            try:\n"
        "                os.listdir(path) if name in ('root', 'cwd', 'fd') else open(path).read(10)\n"
        "                print('opened', path)\n            except OSError:\n                pass\nprint('done')",
        shown="done",
    ),
    "asks_for_forbidden_calls": Case(
        "tries what has opened doors before: new namespaces, tracing, the network, locks and watches on "
        "shared files, terminals",
        "each is refused; locks and watches would be a wire from one submission's tests to another's output",
        before="""
import ctypes, fcntl, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
file = open("/usr/bin/env")
def works(name, action):
    try:
        if action() != -1:
            print("possible:", name)
    except OSError:
        pass
works("user namespace", lambda: libc.unshare(0x10000000))
works("trace", lambda: libc.ptrace(16, 1, 0, 0))
works("network", lambda: socket.socket(socket.AF_INET).fileno())
works("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno())
works("lock", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
works("record lock", lambda: fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0)))
works("lock of others", lambda: fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)))
works("lease", lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK))
works("watch", lambda: libc.inotify_init1(0))
works("memory file", lambda: os.memfd_create("m"))
works("terminal", lambda: os.openpty()[0])
works("mount", lambda: libc.mount(None, b"/tmp", b"tmpfs", 0, None))
works("root", lambda: os.setuid(0))
works("signal outside", lambda: os.kill(2**22, 0))
works("system", lambda: open("/usr/course", "w").fileno())
print("tried", open("/proc/self/oom_score_adj").read().strip())
""",
        shown="tried 1000",
    ),
}

STAYING = {
    "stays_as_daemon": Case(
        "leaves daemons with sessions of their own",
        "they end with its first process",
        before="import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork() == 0:\n            time.sleep(10**4)\n        os._exit(0)",
    ),
    "stays_by_shell": Case(
        "starts programs in the background",
        "they end with its first process",
        before="!sleep 3000 &\n!nohup setsid sleep 3000 > /dev/null 2>&1 &",
    ),
    "stays_by_timer": Case(
        "sets timers, threads, exit handlers and finalisers that spoil everything later",
        "forks have no threads and no timers, and later texts are not its own",
        before="import atexit, gc, signal, threading\n"
        "signal.signal(signal.SIGALRM, lambda *a: globals().clear())\n"
        "signal.setitimer(signal.ITIMER_REAL, 30)\n"
        "threading.Timer(30, lambda: globals().clear()).start()\natexit.register(lambda: open('/tmp/late', 'w'))",
    ),
    "stays_in_packages": Case(
        "writes into installed packages, start-up files and the next student's folder",
        "all of them can only be read, and its home is gone with it",
        before="""
import glob, os, site, sys
# An entry without a name is its own folder.
places = [*filter(None, sys.path), *glob.glob("/packages/*"), "/grader", "/grader/course", "/usr", "/etc", "/", "/home"]
for place in places:
    try:
        open(os.path.join(place, "sitecustomize.py"), "w").write("print('LEFT-BEHIND')")
        print("possible:", place)
    except OSError:
        pass
for place in ("/tmp", "/sandbox", "/dev/shm", os.path.expanduser("~")):
    open(os.path.join(place, "left-behind.py"), "w").write("print('LEFT-BEHIND')")
""",
    ),
    "stays_z_finds_nothing": Case(
        "looks for what the student before it has left",
        "it starts in a place that is empty",
        before="import glob\nprint(glob.glob('/tmp/left*') + glob.glob('/sandbox/left*') + "
        "glob.glob('/dev/shm/*') + glob.glob('/sandbox/*/left*'))",
        shown="[]",
    ),
    "stays_in_torch": Case(
        "patches torch and numpy for whoever comes after",
        "each submission is a fresh copy of a process that ran no student's code",
        after="import torch, numpy\nnumpy.array = torch.rand = torch.tensor = None",
    ),
}
