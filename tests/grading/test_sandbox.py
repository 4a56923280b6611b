"""The jail, seen from inside: what student code cannot do, and that what it may do works. In both modes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from autograde.judge.offer import imported, offer_for
from autograde.judge.student import Processes, Student
from autograde.layout import CourseError
from autograde.rubric import StudentDied, StudentError, StudentTimeout
from autograde.sandbox import launch, leftovers
from autograde.sandbox.host import Client, open_sandbox, probe
from autograde.sandbox.shared.gradients import vector_jacobian_product

SECONDS = 60.0


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def zygote(request, sample, release):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(launch.FORCE, request.param)
        try:
            zygote = open_sandbox(offer_for([release], sample.root / "course", sample.build / "cache"), [sample.hidden])
        except CourseError as error:
            pytest.skip(f"this machine cannot run {request.param}: {error}")
    yield zygote
    zygote.close()


@pytest.fixture
def process(zygote):
    client = Client(zygote.connect())
    process = client.start(lambda: SECONDS)
    yield process
    process.close()
    client.close()


def run(process, source, seconds=30.0):
    return process.request("cell", source, seconds=seconds)


def student_of(process, source, seconds=30.0):
    """What a hidden test gets, for a student whose notebook is one cell."""
    assert run(process, source)["error"] == ""
    return Student(Processes(process, no_other), seconds)


def no_other():
    raise StudentDied("the process ended")


def test_the_probe_finds_no_fault(zygote, sample):
    assert probe(zygote, [sample.hidden]) == []


def test_the_probe_sees_a_folder_that_is_in_sight(zygote):
    assert probe(zygote, [Path("/usr")]) == ["reads the hidden tests"]


FORBIDDEN = {
    "the network": "import socket; socket.socket(socket.AF_INET)",
    "name resolution": "import urllib.request; urllib.request.urlopen('http://example.org', timeout=2)",
    "the hidden tests": "import os; os.listdir(SECRET)",
    "the course's root": "import os; os.listdir(ROOT)",
    "writing beside the grader": "open('/usr/x', 'w')",
    "writing into packages": "import torch; open(torch.__file__, 'a')",
    "other users' files": "open('/etc/shadow').read()",
    "the judge's memory": "open(f'/proc/{JUDGE}/mem', 'rb').read(1)",
    "the judge's environment": "open(f'/proc/{JUDGE}/environ', 'rb').read(1)",
    "signals": "import os; os.kill(JUDGE, 9)",
    "tracing": "import ctypes, os\nif ctypes.CDLL(None).ptrace(16, JUDGE, 0, 0) < 0: raise OSError('refused')",
    "mounting": "import ctypes\nif ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) < 0: raise OSError('no')",
    "namespaces": "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) < 0: raise OSError('no')",
    "becoming root": "import os; os.setuid(0)",
    "raising its limits": "import resource as r; r.setrlimit(r.RLIMIT_DATA, (1 << 40, 1 << 40))",
    "much memory": "x = bytearray(3 << 30)",
    "a huge file": "open('big', 'wb').write(bytes(64 << 20))",
    "many files open": "files = [open('/dev/null') for _ in range(1000)]",
    "the course's answers": "import autograde",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_student_code_is_refused(process, sample, what):
    names = f"SECRET, ROOT, JUDGE = {str(sample.hidden)!r}, {str(sample.root)!r}, {os.getpid()}\n"
    assert run(process, names + FORBIDDEN[what])["error"] != ""


def test_nothing_of_the_graders_environment_is_seen(process, monkeypatch):
    answer = run(process, "import os; print(sorted(os.environ), os.getuid())")
    assert "COURSE" not in answer["output"]
    assert os.environ.get("USER", "nobody-of-that-name") not in answer["output"]
    if os.getuid() == 0:
        assert not answer["output"].rstrip().endswith(" 0")


def test_a_scratch_folder_is_there_and_is_ones_own(zygote):
    for _ in range(2):
        client = Client(zygote.connect())
        process = client.start(lambda: SECONDS)
        answer = run(process, "import os; print(os.listdir('.')); open('mine', 'w').write('x')")
        process.close()
        client.close()
        assert answer == {"error": "", "message": "", "output": "[]\nOut[0]: 1\n"}


@pytest.fixture
def two(zygote):
    """Two submissions at the same time."""
    clients = [Client(zygote.connect()) for _ in range(2)]
    processes = [client.start(lambda: SECONDS) for client in clients]
    yield processes
    for closed in (*processes, *clients):
        closed.close()


def test_files_of_another_submission_cannot_be_read(two):
    mine, theirs = two
    place = run(theirs, "import os; open('notes.txt', 'w').write('theirs'); print(os.getcwd())")["output"].split()[0]
    for folder in (place, str(Path(place).parent)):
        found = run(mine, f"import os; print([os.path.join(a, f) for a, _, fs in os.walk({folder!r}) for f in fs])")
        assert "notes.txt" not in found["output"]
    if place != run(mine, "import os; print(os.getcwd())")["output"].split()[0]:
        assert run(mine, f"open({place + '/notes.txt'!r}).read()")["error"] in ("PermissionError", "FileNotFoundError")


TOUCH = {
    "its limits": "import resource; resource.prlimit({other}, resource.RLIMIT_CPU, (1, 1))",
    "its priority": "os.setpriority(os.PRIO_PROCESS, {other}, 19)",
    "its user's priority": "os.setpriority(os.PRIO_USER, os.getuid(), 18)",
    "its group's priority": "os.setpriority(os.PRIO_PGRP, {other}, 18)",
    "its processors": "os.sched_setaffinity({other}, {{0}})",
    "its scheduling": "os.sched_setscheduler({other}, os.SCHED_IDLE, os.sched_param(0))",
}


@pytest.mark.parametrize("what", TOUCH)
def test_another_submission_cannot_be_touched(zygote, two, what):
    mine, theirs = two
    look = "import os, resource; print('seen', resource.getrlimit(resource.RLIMIT_CPU), "
    look += "os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0)))"
    before = run(theirs, look)
    # In a pid namespace the other one has no number at all: the one outside stands for it.
    other = int(run(theirs, "import os; print(os.getpid())")["output"].split()[0])
    other = other if zygote.mode == "landlock" else os.getpid()
    run(mine, "import os\n" + TOUCH[what].format(other=other))
    assert run(theirs, look) == before


def test_a_process_may_set_its_own_priority_and_limits(process):
    own = "import os, resource\nos.setpriority(os.PRIO_PROCESS, 0, 19)\n"
    own += "os.sched_setaffinity(0, os.sched_getaffinity(0))\n"
    assert run(process, own + "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))")["error"] == ""


def test_no_socket_outside_gets_a_word(process):
    place = Path(tempfile.mkdtemp(prefix="course-socket-"))
    try:
        place.chmod(0o755)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(place / "log"))
            (place / "log").chmod(0o777)
            log.setblocking(False)
            for made in ("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)", "socket.socketpair(type=2)[0]"):
                for sent in ("sendto(b'out', PLACE)", "sendmsg([b'out'], [], 0, PLACE)"):
                    answer = run(process, f"import socket\nPLACE = {str(place / 'log')!r}\n{made}.{sent}")
                    assert answer["error"] in ("PermissionError", "FileNotFoundError"), (made, sent, answer)
            with pytest.raises(BlockingIOError):
                log.recv(10)
    finally:
        shutil.rmtree(place)


def test_no_signal_goes_out_by_way_of_a_file(process):
    for command in (8, 10, 15):
        set_owner = f"import fcntl, os\nfcntl.fcntl(os.pipe()[0], {command}, {os.getpid()})"
        assert run(process, set_owner)["error"] == "PermissionError"


def test_folders_without_end_are_removed_and_hurt_nobody(two, zygote):
    deep, neighbour = two
    dig = "import os\nopen('x', 'w').close(); os.mkdir('locked'); os.mkdir('locked/in'); os.chmod('locked', 0)\n"
    dig += "for _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nprint('dug')"
    assert "dug" in run(deep, dig)["output"]
    deep.close()
    assert "2" in run(neighbour, "1 + 1")["output"]
    client = Client(zygote.connect())
    process = client.start(lambda: SECONDS)
    assert "2" in run(process, "1 + 1")["output"]
    process.close()
    client.close()
    if zygote.mode == "landlock":
        neighbour.close()
        scratch = zygote._stage.folder / "scratch"
        deadline = time.monotonic() + 10
        while (left := [path for path in scratch.iterdir() if path.name.isdigit()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []


def test_a_fork_bomb_hits_its_limit_and_leaves_nothing(zygote):
    client = Client(zygote.connect())
    process = client.start(lambda: SECONDS)
    mark = f"course-bomb-{os.getpid()}-{zygote.mode}"
    bomb = f"""
import ctypes, os, time
n = 0
try:
    for _ in range(500):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, {mark[:15].encode()!r}, 0, 0, 0)
            os.setsid()
            time.sleep(600)
            os._exit(0)
        n += 1
except OSError:
    print("limit")
"""
    assert "limit" in run(process, bomb)["output"]
    process.close()
    client.close()
    deadline = time.monotonic() + 10
    while _running(mark[:15]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(mark[:15]) == 0


def test_nothing_outlives_a_judge_that_was_killed(zygote):
    client = Client(zygote.connect())
    process = client.start(lambda: SECONDS)
    mark = f"alone-{os.getpid() % 10**6}-{zygote.mode[:2]}"
    # It asks the kernel not to be killed with its parent, sees no closed socket, and has children that do not either.
    stays = f"""
import ctypes, os
libc = ctypes.CDLL(None)
libc.prctl(1, 0, 0, 0, 0)
libc.prctl(15, {mark.encode()!r}, 0, 0, 0)
for _ in range(2):
    os.fork()
while True:
    pass
"""
    process._send(("cell", 1, stays), time.monotonic() + 5)
    deadline = time.monotonic() + 10
    while _running(mark) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(mark) == 4
    # As if the kernel had closed the judge's descriptors, and nobody had killed by number.
    process._sock.close()
    client.close()
    deadline = time.monotonic() + 10
    while _running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(mark) == 0


def _running(name):
    count = 0
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            count += path.read_text().strip() == name
        except OSError:
            continue
    return count


def test_output_is_cut(process):
    answer = run(process, "print('x' * 10_000_000)")
    assert len(answer["output"]) < 30_000
    assert answer["output"].endswith("more characters were cut]\n")


def test_of_what_is_printed_no_second_copy_is_kept(process):
    run(process, "for number in range(1000): print('x' * 1000)")
    answer = run(process, "print(sum(map(len, get_ipython().history_manager.outputs.values())))")
    assert answer["output"] == "0\n"


def test_honest_code_runs(process):
    source = """
import torch, numpy as np
%time x = 1
name = input("name? ")
@torch.no_grad()
def 제곱(x):
    return x ** 2
layer = torch.nn.Linear(2, 2)
torch.optim.AdamW(layer.parameters()).step()
import tempfile; tempfile.TemporaryFile().write(b"x")
import subprocess; subprocess.run(["true"], check=True)
assert name == "" and 제곱(3) == 9
"""
    assert run(process, source)["error"] == ""


SLOW_TO_SAY = {
    "a compiled answer": "import torch\n@torch.compile\ndef f(x):\n    return x + 1\n"
    "assert f(torch.ones(1)) == 2\nprint('on')",
    "an installation": "%pip install -q a-package-that-is-not-there\nprint('on')",
}


@pytest.mark.parametrize("what", SLOW_TO_SAY)
def test_what_the_jail_has_no_means_for_costs_nothing(zygote, what):
    client = Client(zygote.connect())
    process = client.start(lambda: 10 * SECONDS)
    answer = run(process, SLOW_TO_SAY[what], seconds=10 * SECONDS)
    process.close()
    client.close()
    assert (answer["error"], answer["output"].split()[-1]) == ("", "on")
    # pip would try again and again, for longer than a cell may take.
    assert "Retrying" not in answer["output"]


def test_offered_modules_are_there_and_no_others(process):
    assert run(process, "from course.settings import ScaleConfig\nimport course.checks")["error"] == ""
    assert run(process, "import course.other")["error"] == "ModuleNotFoundError"


def test_a_call_takes_and_gives_tensors_and_data(process):
    student = student_of(process, "def f(a, *, b): return {'sum': a + b, 'kinds': (type(a).__name__, [1])}")
    result = student.f(torch.ones(2), b=2)
    assert result["sum"].tolist() == [3.0, 3.0]
    assert result["kinds"] == ("Tensor", [1])


def test_arguments_can_be_looked_at_afterwards(process):
    student = student_of(process, "def f(x, y): x.add_(1)")
    _, (x, y) = student.call("f", torch.zeros(2), y=[1], keep_arguments=True)
    assert x.tolist() == [1.0, 1.0]
    assert y == [1]


def test_a_generator_advances_as_if_it_had_been_used_here(process):
    student = student_of(process, "import torch\ndef f(g): return torch.rand(2, generator=g)")
    ours, theirs = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for _ in range(3):
        assert torch.equal(student.f(theirs), torch.rand(2, generator=ours))


def test_a_function_of_the_test_is_called_back(process):
    student = student_of(process, "def f(step, x):\n    for _ in range(3): x = step(x, by=2)\n    return x")
    assert student.f(lambda x, by: x * by, 5) == 40


def test_an_error_in_a_callback_reaches_the_student(process):
    student = student_of(process, "def f(step):\n    try: step()\n    except RuntimeError as e: return str(e)")
    assert "TypeError" in student.f(lambda x: x)


def test_a_helper_lives_beside_the_student_and_is_differentiable(process):
    student = student_of(process, "def f(step, x): return step(x) * 3\nW = 'mine'")
    helper = student.helper("lambda x: x * W", W=torch.tensor([2.0]))
    x = torch.tensor([1.0], requires_grad=True)
    student.differentiable("f")(helper, x).backward()
    assert x.grad.tolist() == [6.0]
    assert student.helper("def g(x):\n    return x + 1")(1) == 2


def test_gradients_flow_through_nested_results(process):
    student = student_of(process, "def f(x, *, scale): return (x * scale, {'y': x.sum() ** 2})")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    f = student.differentiable("f")
    assert torch.autograd.gradcheck(lambda x: (f(x, scale=3.0)[0], f(x, scale=3.0)[1]["y"]), (x,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex128])
@pytest.mark.parametrize("grad_mode", [True, False])
def test_a_vector_jacobian_product_is_autograds_own(dtype, grad_mode):
    generator = torch.Generator().manual_seed(1)
    x, weights = (torch.randn(3, 3, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2))
    x, cotangent = x.requires_grad_(True), weights.mT

    def function(x):
        return x * x.exp()

    (expected,) = torch.autograd.grad(function(x), x, cotangent)
    # Asked for in the middle of somebody's backward pass, gradients are off.
    with torch.set_grad_enabled(grad_mode):
        (actual,) = vector_jacobian_product(function, (x,), {}, [cotangent])
    assert torch.equal(actual, expected)


def test_a_detached_result_has_no_gradient(process):
    student = student_of(process, "def f(x): return (x * 2).detach()")
    x = torch.ones(2, requires_grad=True)
    student.differentiable("f")(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_a_gradient_through_a_callback_is_refused_loudly(process):
    student = student_of(process, "def f(step, x): return step(x)")
    with pytest.raises(TypeError, match=r"student\.helper"):
        student.differentiable("f")(lambda x: x, torch.ones(1, requires_grad=True))


MODULE = """
import torch
class Block(torch.nn.Module):
    def __init__(self, width, *, bias=True):
        super().__init__()
        self.inner = torch.nn.Linear(width, width, bias=bias)
        self.width = width
    def forward(self, x, scale=1.0): return self.inner(x) * scale
    def twice(self, x): return self(self(x))
def make(width): return Block(width)
def count():
    yield from range(3)
"""


def test_modules_stay_there_and_answer_through_a_handle(process):
    student = student_of(process, MODULE)
    block = student.new("Block", 2, bias=False)
    block.load_state_dict({"inner.weight": torch.eye(2) * 2})
    assert block(torch.ones(1, 2), scale=3.0).tolist() == [[6.0, 6.0]]
    assert block.twice(torch.ones(2)).tolist() == [4.0, 4.0]
    assert block.width == 2
    assert block.inner.weight.shape == (2, 2)
    assert list(block.state_dict()) == ["inner.weight"]
    assert student.new("make", 3).width == 3


def test_gradients_reach_a_modules_parameters(process):
    function = student_of(process, MODULE).new("Block", 2).differentiable(parameters=True)
    own = torch.nn.Linear(2, 2).double()
    parameters = {f"inner.{name}": value.detach().requires_grad_() for name, value in own.named_parameters()}
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(function(parameters, x), own(x))
    function(parameters, x).pow(2).sum().backward()
    own(x.detach()).pow(2).sum().backward()
    torch.testing.assert_close(parameters["inner.weight"].grad, own.weight.grad)


def test_iterators_give_one_value_at_a_time(process):
    assert list(student_of(process, MODULE).new("count")) == [0, 1, 2]


def test_an_object_that_is_no_data_cannot_be_returned_from_a_call(process):
    student = student_of(process, "class Always:\n    def __eq__(self, other): return True\ndef f(): return Always()")
    with pytest.raises(StudentError) as error:
        student.f()
    assert error.value.kind == "UnsupportedValue"


def test_configurations_of_the_course_go_over(process, sample):
    spec = importlib.util.spec_from_file_location("course.settings", sample.root / "course" / "settings.py")
    settings = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # dataclasses looks its module up by name.
        patch.setitem(sys.modules, "course.settings", settings)
        spec.loader.exec_module(settings)
        student = student_of(process, "def f(config): return type(config).__name__, config.width")
        assert student.f(settings.ScaleConfig(width=4)) == ("ScaleConfig", 4)


def test_errors_carry_their_kind_and_missing_names_are_told_apart(process):
    student = student_of(process, "def f(x): raise ValueError(f'got {x}')")
    with pytest.raises(StudentError) as error:
        student.f(3)
    assert (error.value.kind, error.value.message) == ("ValueError", "got 3")
    with pytest.raises(StudentError) as error:
        student.g(3)
    assert error.value.kind == "NotDefined"


def test_a_call_that_hangs_ends_at_its_limit(process):
    student = student_of(process, "def f():\n    while True: pass", seconds=0.3)
    began = time.monotonic()
    with pytest.raises(StudentTimeout):
        student.f()
    assert time.monotonic() - began < 5


ENDINGS = {
    "exits": "import os; os._exit(0)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "aborts": "import os; os.abort()",
    "writes nonsense to the judge": """
import os
for fd in range(3, 20):
    try: os.write(fd, b"nonsense" * 100)
    except OSError: pass
""",
    "closes everything": "import os; os.closerange(3, 256)",
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_process_that_ends_is_noticed(process, how):
    student = student_of(process, "def f(source): exec(source, {})")
    with pytest.raises(StudentDied):
        student.f(ENDINGS[how])
    with pytest.raises(StudentDied):
        student.f("pass")


def test_a_fork_keeps_the_state_of_its_moment(process):
    run(process, "def f(): return 'early'")
    early = process.fork(10.0)
    run(process, "def f(): return 'late'")
    assert early.request("call", "f", (), {}, False, seconds=10.0) == "early"
    assert process.request("call", "f", (), {}, False, seconds=10.0) == "late"
    early.close()


def test_a_fork_starts_with_torchs_state_set_straight(process):
    run(process, "import torch; torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)")
    run(process, "def f(): return torch.ones(1).dtype, torch.is_grad_enabled()")
    fork = process.fork(10.0)
    assert fork.request("call", "f", (), {}, False, seconds=10.0) == (torch.float32, True)
    fork.close()


def test_a_forged_answer_with_another_number_ends_the_process(process):
    source = """
def f():
    import gc, sandbox.inside.server as server
    me = next(o for o in gc.get_objects() if isinstance(o, server.Server))
    server.send(me._sock, me._encode_data(("ok", 999, "full marks", [])))
"""
    with pytest.raises(StudentDied, match="malformed"):
        student_of(process, source).f()


def test_a_mode_that_was_not_allowed_is_refused(monkeypatch, release, sample):
    offer = offer_for([release], sample.root / "course")
    monkeypatch.setenv(launch.FORCE, "unsafe")
    with pytest.raises(CourseError, match="--unsafe"):
        open_sandbox(offer, [sample.hidden])
    monkeypatch.setenv(launch.FORCE, "prayer")
    with pytest.raises(CourseError, match="names no sandbox"):
        open_sandbox(offer, [sample.hidden])


def test_where_nothing_works_the_reasons_are_given(monkeypatch, release, sample):
    monkeypatch.setattr("autograde.sandbox.host.candidates", lambda allow_unsafe: ["bubblewrap"])
    monkeypatch.setattr("autograde.sandbox.launch.shutil.which", lambda name: None)
    with pytest.raises(CourseError, match=r"bubblewrap is not installed.*--unsafe"):
        open_sandbox(offer_for([release], sample.root / "course"), [sample.hidden])


def test_only_modules_that_setup_and_checks_import_are_offered(release, sample):
    offer = offer_for([release], sample.root / "course")
    assert [str(file) for file in offer.files] == ["__init__.py", "checks.py", "settings.py"]
    assert "course.settings" in offer.modules


def test_relative_imports_are_followed():
    source = "from . import a\nfrom .b import c\nimport d.e"
    found = set(imported(source, "course.sub.module", Path("sub/module.py")))
    assert found >= {"course.sub.a", "course.sub.b", "d.e"}


def test_a_killed_graders_folder_is_removed_however_deep_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"{leftovers.PREFIX}killed"
    folder.mkdir()
    (folder / leftovers.LOCK).touch()
    place = os.open(folder, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    leftovers.clean()
    assert not folder.exists()
