"""The wall, put up in processes of their own: what it keeps out, and what goes on inside."""

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import mmbench
from mmbench.grid import landlock, wall
from mmbench.grid.exchange import VIEWS
from mmbench.grid.surroundings import LONGEST, environment_for, shorten
from mmbench.grid.wall import OWN, PACKAGES

ROOT = Path(mmbench.__file__).parents[1]
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")

PRELUDE = """
import json, os, sys
from mmbench.grid import wall

came = {}

def attempt(name, action):
    try:
        found = action()
    except BaseException as error:
        came[name] = type(error).__name__
    else:
        came[name] = found if isinstance(found, (bool, int, float, str, list)) else "done"

if __name__ == "__main__":
    folder, gates = sys.argv[1], json.loads(sys.argv[2])
    exec(sys.argv[3])
    came["wall"] = wall.put_up(folder, wall.Gates(**gates))
"""


@pytest.fixture
def walled(tmp_path):
    """``walled(code, **gates)``: what each ``attempt`` of some code came to behind a wall."""
    room = tmp_path / "room"
    for name in (VIEWS, *OWN):
        (room / name).mkdir(parents=True)
    modules = tmp_path / "modules"
    modules.mkdir()
    temporary = shorten(room)

    def run(code, *, before="", python_path=(), **gates):
        shutil.rmtree(room / PACKAGES, ignore_errors=True)
        (room / PACKAGES).mkdir()
        program = modules / "program.py"
        body = textwrap.indent(textwrap.dedent(code) + "\nprint(json.dumps(came))\n", "    ")
        program.write_text(PRELUDE + body)
        settings = environment_for(room, temporary, network=gates.get("network", False))
        path = os.pathsep.join(map(str, [modules, *python_path, ROOT]))
        words = [sys.executable, "-P", "-m", "program", str(room), json.dumps(gates), before]
        environment = {**os.environ, **settings, "PYTHONPATH": path}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    run.room, run.modules = room, modules
    yield run
    if temporary.is_symlink():
        temporary.unlink()


@pytest.fixture
def secret(tmp_path):
    """A file that nobody behind a wall should see."""
    path = tmp_path / "data" / "events.csv"
    path.parent.mkdir()
    path.write_text("user,item\n")
    return path


@needs_landlock
def test_files_elsewhere_cannot_be_read_nor_touched(walled, secret):
    came = walled(
        f"""
        import subprocess
        secret, folder_of = {str(secret)!r}, {str(secret.parent)!r}
        attempt("read", lambda: open(secret).read())
        attempt("list", lambda: os.listdir(folder_of))
        attempt("write", lambda: open(secret, "a"))
        attempt("beside", lambda: open(secret + ".new", "w"))
        attempt("cut", lambda: os.truncate(secret, 0))
        attempt("remove", lambda: os.unlink(secret))
        attempt("rename", lambda: os.rename(secret, folder + "/scratch/mine"))
        attempt("link", lambda: os.link(secret, folder + "/scratch/mine"))
        attempt("attribute", lambda: os.setxattr(secret, "user.note", b"1"))
        os.symlink(secret, folder + "/scratch/link")
        attempt("through a link", lambda: open(folder + "/scratch/link").read())
        child = subprocess.run(["cat", secret], capture_output=True)
        came["child"] = child.returncode
        """
    )
    assert came.pop("wall") == f"landlock:{min(landlock.abi(), landlock.KNOWN)}"
    assert came.pop("child") == 1
    assert set(came) > {"read", "cut", "through a link"}
    if landlock.abi() < 3:
        del came["cut"]
    assert set(came.values()) <= {"PermissionError", "OSError"}, came
    assert secret.read_text() == "user,item\n"


@needs_landlock
def test_own_folders_and_opened_ones_can_be_used(walled, tmp_path):
    cache, encodings = tmp_path / "cache", tmp_path / "encodings"
    for folder in (cache, encodings):
        folder.mkdir()
    (cache / "weights").write_text("1234")
    (walled.room / VIEWS / "train").write_text("12")
    came = walled(
        f"""
        import shutil, tempfile
        cache, encodings = {str(cache)!r}, {str(encodings)!r}
        attempt("weights", lambda: open(cache + "/weights").read())
        attempt("view", lambda: open(folder + "/views/train").read())
        attempt("temporary", lambda: tempfile.NamedTemporaryFile().write(b"12"))
        attempt("home", lambda: os.mkdir(os.path.expanduser("~/.cache")))
        open(folder + "/scratch/part", "w").write("12")
        attempt("move", lambda: os.replace(folder + "/scratch/part", encodings + "/part"))
        attempt("copy", lambda: shutil.copy2(encodings + "/part", folder + "/scratch/again"))
        attempt("change weights", lambda: open(cache + "/weights", "a"))
        attempt("change view", lambda: open(folder + "/views/train", "a"))
        attempt("beside own", lambda: open(folder + "/notes", "w"))
        """,
        reads=[str(cache)],
        writes=[str(encodings)],
    )
    done = {name for name, what in came.items() if what != "PermissionError"}
    refused = set(came) - done
    assert refused == {"change weights", "change view", "beside own"}
    assert (encodings / "part").read_text() == "12"


@needs_landlock
def test_other_processes_are_out_of_reach(walled):
    came = walled(
        """
        import ctypes, signal
        parent = os.getppid()
        for name in ("mem", "cmdline", "environ", "status", "maps"):
            attempt(name, lambda: open(f"/proc/{parent}/{name}", "rb").read(1))
        attempt("list", lambda: os.listdir("/proc"))
        attempt("folder", lambda: os.readlink(f"/proc/{parent}/cwd"))
        attempt("signal", lambda: os.kill(parent, 0))
        attempt("trace", lambda: ctypes.CDLL(None).ptrace(16, parent, 0, 0))
        attempt("own", lambda: len(open("/proc/self/status").read()) > 0)
        child = os.fork()
        if not child:
            signal.pause()
        attempt("own child", lambda: os.kill(child, signal.SIGKILL))
        """
    )
    assert came.pop("wall").startswith("landlock:")
    assert came.pop("own") is True
    assert came.pop("own child") == "done"
    assert came.pop("trace") == -1
    if landlock.abi() < 6:
        del came["signal"]
    assert set(came.values()) == {"PermissionError"}, came


@needs_landlock
def test_no_machine_can_be_reached_and_nothing_is_left_in_the_kernel(walled):
    code = """
        import ctypes, socket
        attempt("tcp", lambda: socket.create_connection(("127.0.0.1", PORT), 5))
        attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
        attempt("udp", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        attempt("name", lambda: socket.getaddrinfo("localhost.example", 80))
        attempt("local", lambda: socket.socketpair())
        attempt("unix", lambda: socket.socket(socket.AF_UNIX).bind(folder + "/tmp/s"))
        libc = ctypes.CDLL(None, use_errno=True)
        attempt("shared memory", lambda: libc.shmget(77, 100, 0o1600))
        attempt("semaphores", lambda: libc.semget(77, 1, 0o1600))
        attempt("queue", lambda: libc.msgget(77, 0o1600))
        attempt("ring", lambda: libc.syscall(425, 1, 0))
        """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        came = walled(code.replace("PORT", port))
        free = walled(code.replace("PORT", port).replace("/tmp/s", "/tmp/t"), network=True)
    assert came["wall"].startswith("landlock:") and free["wall"] == came["wall"]
    assert came["local"] == came["unix"] == "done"
    assert came["tcp"] == came["listen"] == came["udp"] == "PermissionError"
    assert came["name"] == "gaierror"
    assert [came[n] for n in ("shared memory", "semaphores", "queue", "ring")] == [-1] * 4
    assert free["tcp"] == free["listen"] == free["udp"] == "done"
    assert [free[n] for n in ("shared memory", "semaphores", "queue", "ring")] == [-1] * 4


@needs_landlock
def test_of_a_search_path_only_packages_can_be_read(walled, tmp_path):
    """And they are found under their own names and paths, also by interpreters of the process."""
    checkout = tmp_path / "checkout"
    for name in ("shop", "data", "results", "shop.egg-info", "tool-1.0.dist-info"):
        (checkout / name).mkdir(parents=True)
    (checkout / "pyproject.toml").write_text("")
    (checkout / "shop" / "__init__.py").write_text("import shop.part")
    (checkout / "shop" / "part.py").write_text("here, count = __file__, int")
    (checkout / "shop" / "words.txt").write_text("12")
    (checkout / "single.py").write_text("")
    (checkout / "data" / "events.csv").write_text("")
    (checkout / "tool-1.0.dist-info" / "METADATA").write_text("Name: tool\nVersion: 1.0\n")
    came = walled(
        f"""
        import importlib.metadata, multiprocessing, subprocess
        checkout = {str(checkout)!r}
        attempt("package", lambda: __import__("shop.part").part.here)
        attempt("module", lambda: __import__("single").__file__)
        attempt("data of package", lambda: open(checkout + "/shop/words.txt").read())
        attempt("metadata", lambda: importlib.metadata.version("tool"))
        attempt("child", lambda: subprocess.run(
            [sys.executable, "-c", "import shop, single, mmbench.views"]
        ).returncode)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            attempt("pool", lambda: pool.apply(__import__("shop.part").part.count, ["12"]))
        attempt("list", lambda: os.listdir(checkout))
        attempt("read", lambda: open(checkout + "/pyproject.toml").read())
        attempt("list data", lambda: os.listdir(checkout + "/data"))
        attempt("no package", lambda: __import__("data.events"))
        """,
        python_path=[checkout],
    )
    assert came["package"] == str(checkout / "shop" / "part.py")
    assert came["module"] == str(checkout / "single.py")
    assert came["data of package"] == "12"
    assert came["metadata"] == "1.0"
    assert (came["child"], came["pool"]) == (0, 12)
    assert came["list"] == came["read"] == came["list data"] == "PermissionError"
    assert came["no package"] == "ModuleNotFoundError"


@needs_landlock
def test_threads_can_be_named_as_cuda_does_it(walled):
    """CUDA opens the name as if to write it anew, and gives up where that is refused."""
    came = walled("""
        import threading

        def name(thread):
            path = f"/proc/self/task/{thread.native_id}/comm"
            with open(path, "w") as file:
                file.write("named")
            return open(path).read()

        idle = threading.Event()
        thread = threading.Thread(target=idle.wait)
        thread.start()
        attempt("name", lambda: name(thread))
        idle.set()
    """)
    assert came["name"] == "named\n"


def test_locks_pools_and_loaders_work_and_certificates_and_devices_are_there(walled):
    assert len(os.fsencode(walled.room)) > LONGEST - 10  # a long path, as pytest's are
    came = walled(
        """
        import ctypes.util, multiprocessing, ssl
        attempt("lock", lambda: multiprocessing.Lock())
        for way in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(way).Pool(1) as pool:
                attempt(way, lambda: pool.map(abs, [-1]))
        with multiprocessing.Manager() as manager:
            attempt("manager", lambda: list(manager.list([1])))
        attempt("certificates", lambda: ssl.create_default_context().cert_store_stats()["x509_ca"])
        attempt("library", lambda: ctypes.CDLL(ctypes.util.find_library("m")))
        attempt("null", lambda: open(os.devnull, "w").write("1"))
        attempt("chance", lambda: len(os.urandom(3)))
        attempt("cores", lambda: len(open("/proc/cpuinfo").read()) > 0)
        attempt("user", lambda: __import__("getpass").getuser())
        attempt("list shared memory", lambda: os.listdir("/dev/shm"))
        """
    )
    assert came["lock"] == came["library"] == "done"
    assert came["fork"] == came["spawn"] == came["forkserver"] == came["manager"] == [1]
    assert came["null"] == 1 and came["chance"] == 3 and came["cores"] is True
    assert came["list shared memory"] == "PermissionError"
    paths = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]
    assert came["certificates"] > 0 or not any(map(Path.exists, paths))


def test_compilers_with_a_folder_of_their_own_can_be_started(tmp_path, monkeypatch):
    for place in ("opt/gcc/bin", "home/bin"):
        (tmp_path / place).mkdir(parents=True)
    for path in (tmp_path / "opt/gcc/bin/gcc", tmp_path / "home/bin/clang"):
        path.touch(mode=0o755)
    monkeypatch.setattr(wall, "OPTIONAL", str(tmp_path / "opt"))
    monkeypatch.setenv("PATH", f"{tmp_path}/opt/gcc/bin{os.pathsep}{tmp_path}/home/bin")
    assert list(wall._compilers()) == [str(tmp_path / "opt/gcc")]


@needs_landlock
@pytest.mark.parametrize("library", ["torch", "numba", "transformers", "matplotlib.pyplot"])
def test_libraries_work_inside(walled, library):
    pytest.importorskip(library)
    (walled.modules / "work.py").write_text(
        textwrap.dedent(
            """
            import os

            def torch():
                import torch

                data = torch.utils.data.TensorDataset(torch.arange(8))
                loader = torch.utils.data.DataLoader(data, num_workers=1, batch_size=4)
                return int(sum(batch.sum() for batch, in loader))

            def numba():
                import numba

                found = numba.njit(cache=True)(one_more)(27)
                assert os.listdir(os.environ["NUMBA_CACHE_DIR"])
                return found

            def one_more(x):
                return x + 1

            def transformers():
                from transformers import GPT2Config, GPT2LMHeadModel

                model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=4, n_layer=1, n_head=1))
                model.save_pretrained(os.environ["HOME"] + "/model")
                return len(GPT2LMHeadModel.from_pretrained(os.environ["HOME"] + "/model").config.
                           architectures) + 27

            def pyplot():
                import matplotlib.pyplot as plt

                plt.figure().savefig(os.environ["TMPDIR"] + "/a.png")
                return 28
            """
        )
    )
    name = library.rpartition(".")[2]
    came = walled(f"import work\nattempt('work', work.{name})")
    assert came["work"] == 28


@pytest.mark.parametrize(
    "before",
    [
        "wall.landlock.abi = lambda: 0",
        "wall.seccomp.NUMBERS.clear()",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    ],
    ids=["no Landlock", "no filter", "threads outside"],
)
def test_where_no_whole_wall_can_be_put_up_it_has_no_name_and_work_goes_on(walled, before):
    came = walled("attempt('numpy', lambda: __import__('numpy').__name__)", before=before)
    assert came == {"wall": "process", "numpy": "numpy"}


def test_a_debugger_may_ask_for_no_wall(walled, secret):
    came = walled(f"attempt('read', lambda: open({str(secret)!r}).read())", walled=False)
    assert came == {"wall": "process", "read": "user,item\n"}
