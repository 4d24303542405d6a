"""A JupyterHub with two real users of this machine: neither can read what the other has."""

import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import pytest
import requests

REPOSITORY = Path(__file__).parents[1]
CONFIG = REPOSITORY / "deploy" / "jupyterhub" / "jupyterhub_config.py"
NAMES = ("qlab-test-ada", "qlab-test-bea")
LEARNERS, TEACHERS = "qlab-test-learners", "qlab-test-teachers"
PASSWORD = "correct horse 7 battery"
READ = """
import os, sys, traceback
def tell(path):
    try:
        return sorted(os.listdir(path)) if os.path.isdir(path) else open(path).read(40)
    except OSError as error:
        return type(error).__name__
"""
needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("jupyterhub") is None and os.environ.get("CI") != "true",
    reason="needs JupyterHub: make extras",
)
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("useradd"),
    reason="makes users of this machine, which only root may",
)


def as_nobody(*command):
    nobody = pwd.getpwnam("nobody")
    try:
        return subprocess.run(
            command, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd="/", env={},
            capture_output=True, text=True,
        )  # fmt: skip
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


@pytest.fixture(scope="module")
def python():
    """A Python that learners may run; if ours is root's alone, the system's with our packages."""
    if as_nobody(sys.executable, "-c", "import qlab").returncode == 0:
        yield sys.executable
        return
    with tempfile.TemporaryDirectory(prefix="qlab-hub-python-") as folder:
        Path(folder).chmod(0o755)
        version = "python{}.{}".format(*sys.version_info)
        places = [f"/usr/bin/{version}", f"/usr/local/bin/{version}"]
        found = [x for x in places if as_nobody(x, "-c", "").returncode == 0]
        if not found:
            pytest.skip(f"{sys.executable} is root's alone, and there is no {version} for all")
        subprocess.run([found[0], "-m", "venv", "--without-pip", f"{folder}/venv"], check=True)
        venv = Path(folder, "venv")
        ours = sysconfig.get_path("purelib")
        inside = next(venv.glob("lib/python*/site-packages"))
        (inside / "ours.pth").write_text(f"{ours}\n{REPOSITORY}\n")
        for name in ("share", "etc"):
            (venv / name).symlink_to(Path(sys.prefix, name))
        run = as_nobody(str(venv / "bin" / "python"), "-c", "import qlab, jupyterhub")
        if run.returncode:
            pytest.skip(f"other users cannot read this checkout: {run.stderr.strip()[-200:]}")
        yield str(venv / "bin" / "python")


@pytest.fixture(scope="module")
def users():
    """Two learners in a group, and a group for teachers; they are gone afterwards."""
    for name in (LEARNERS, TEACHERS):
        subprocess.run(["groupadd", "-f", name], check=True)
    try:
        for name in NAMES:
            subprocess.run(["userdel", "-r", name], capture_output=True)
            subprocess.run(["useradd", "-m", "-G", LEARNERS, name], check=True)
        words = "\n".join(f"{name}:{PASSWORD}" for name in NAMES)
        subprocess.run(["chpasswd"], input=words, text=True, check=True)
        yield NAMES
    finally:
        for name in NAMES:
            subprocess.run(["userdel", "-r", name], capture_output=True)
        for name in (LEARNERS, TEACHERS):
            subprocess.run(["groupdel", name], capture_output=True)


@pytest.fixture(scope="module")
def hub(users, python, tmp_path_factory):
    """The hub, as `make hub` starts it, with a folder for the progress of the class."""
    folder = tmp_path_factory.mktemp("hub")
    course = Path(tempfile.mkdtemp(prefix="qlab-hub-class-"))
    course.chmod(0o755)
    ports = free_ports(3)
    base = f"http://127.0.0.1:{ports[0]}"
    settings = {
        **os.environ, "QLAB_HUB_BIND": base, "QLAB_HUB_GROUP": LEARNERS,
        "QLAB_HUB_TEACHERS": TEACHERS, "QLAB_HUB_CLASS": str(course),
        "QLAB_HUB_STATE": str(folder / "state"),
    }  # fmt: skip
    command = [
        python, "-m", "jupyterhub", "-f", str(CONFIG), f"--JupyterHub.hub_port={ports[1]}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{ports[2]}",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=settings, cwd=folder, start_new_session=True
        )
    try:
        wait_for(lambda: answers(f"{base}/hub/api/"), process, folder / "log")
        yield base, course
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            for name in users:  # what the hub could not end
                subprocess.run(["pkill", "-9", "-u", name], capture_output=True)
            shutil.rmtree(course, ignore_errors=True)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [x.getsockname()[1] for x in sockets]
    for x in sockets:
        x.close()
    return ports


def answers(address):
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def wait_for(condition, process=None, log=None, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        if process and process.poll() is not None:
            break
        time.sleep(0.3)
    raise AssertionError(f"it did not happen: {log.read_text()[-2000:] if log else ''}")


def decoded(frame):
    """A message of the kernel; one with pictures is binary, and its JSON is the first part."""
    if isinstance(frame, bytes):
        start, end = (int.from_bytes(frame[i : i + 4], "big") for i in (4, 8))
        frame = frame[start:end]
    return json.loads(frame)


class Learner:
    """A browser's session of a learner who has logged in, and a kernel on their server."""

    def __init__(self, base, name):
        self.base, self.name, self.session = base, name, requests.Session()
        page = self.session.get(f"{base}/hub/login")
        form = {"username": name, "password": PASSWORD, "_xsrf": self.session.cookies["_xsrf"]}
        page = self.session.post(f"{base}/hub/login?next=/hub/spawn", data=form)
        assert page.ok, page.text[-500:]
        self.mine = f"{base}/user/{name}"
        wait_for(lambda: self.session.get(f"{self.mine}/lab").url.startswith(f"{self.mine}/lab"))
        self.xsrf = next(x.value for x in self.session.cookies
                         if x.name == "_xsrf" and x.path == f"/user/{name}/")  # fmt: skip
        kernel = self.session.post(
            f"{self.mine}/api/kernels", headers={"X-XSRFToken": self.xsrf}, json={}
        )
        assert kernel.status_code == 201, kernel.text
        self.kernel = kernel.json()["id"]

    def get(self, path):
        return self.session.get(f"{self.base}{path}", allow_redirects=True)

    def run(self, code):
        """What a cell prints, over the websocket that JupyterLab uses."""
        import websocket

        request = requests.Request("GET", f"{self.mine}/api/kernels", cookies=self.session.cookies)
        cookie = self.session.prepare_request(request).headers["Cookie"]
        address = f"{self.mine}/api/kernels/{self.kernel}/channels".replace("http", "ws", 1)
        there = websocket.create_connection(address, cookie=cookie, timeout=120)
        header = {"msg_id": os.urandom(8).hex(), "msg_type": "execute_request", "session": "test",
                  "username": "", "version": "5.3"}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": True}  # fmt: skip
        there.send(json.dumps({"channel": "shell", "header": header, "parent_header": {},
                               "metadata": {}, "content": content}))  # fmt: skip
        said = []
        while True:
            message = decoded(there.recv())
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind in ("stream", "error"):
                said.append(content.get("text") or "\n".join(content["traceback"]))
            if kind == "status" and content["execution_state"] == "idle":
                there.close()
                return "".join(said)


@pytest.fixture(scope="module")
def learners(hub):
    return [Learner(hub[0], name) for name in NAMES]


@needs_hub
@needs_root
def test_each_learner_has_their_notebooks_runs_a_cell_and_cannot_read_the_others(hub, learners):
    course = hub[1]
    there = {path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb")}
    for learner in learners:
        listed = learner.get(f"/user/{learner.name}/api/contents/").json()["content"]
        assert {x["name"] for x in listed} == there
        said = learner.run("import getpass, os; print(getpass.getuser(), os.getcwd())")
        assert said.split() == [learner.name, f"/home/{learner.name}/qlab"]
        folder = Path(f"/home/{learner.name}/qlab")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.owner() == learner.name
        said = learner.run(
            "from qlab.lessons import learner; learner('me')\n"
            "import os; name, file = (os.environ[f'QLAB_{x}'] for x in ('LEARNER', 'PROGRESS'))\n"
            "print(name, os.path.exists(file))"
        )
        assert said.split()[-2:] == [learner.name, "True"], said
    ada, bea = learners
    for reader, other in ((ada, bea), (bea, ada)):
        home, mine = f"/home/{other.name}", course / other.name
        paths = [f"{home}/qlab", f"{home}/qlab/00_welcome.ipynb", str(mine),
                 str(mine / "progress.json"), f"{home}/.local/share/jupyter/runtime"]  # fmt: skip
        said = reader.run(f"{READ}\nfor path in {paths!r}: print(tell(path))")
        assert said.split() == ["PermissionError"] * len(paths), said
        assert reader.get(f"/user/{other.name}/api/contents/").status_code in (403, 404)
        written = reader.run(f"open({str(mine / 'planted.json')!r}, 'w')")
        assert "PermissionError" in written
    file = course / ada.name / "progress.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 and file.group() == TEACHERS


@needs_hub
@needs_root
def test_kernels_speak_over_ipc_with_one_thread_and_a_limit(learners):
    said = learners[0].run(
        "import json, os, resource, glob\n"
        "from ipykernel.kernelapp import IPKernelApp\n"
        "from qlab.system.threads import threads\n"
        "app = IPKernelApp.instance()\n"
        "folder = os.path.dirname(app.abs_connection_file)\n"
        "print(app.transport, oct(os.stat(folder).st_mode & 0o777),"
        " threads(), os.environ['OMP_NUM_THREADS'], os.environ['TF_NUM_INTRAOP_THREADS'],"
        " resource.getrlimit(resource.RLIMIT_DATA)[1])"
    )
    assert said.split() == ["ipc", "0o700", "1", "1", "1", str(3 * 2**30)], said
    said = learners[0].run(
        "try:\n    block = bytearray(4 * 2**30)\nexcept MemoryError: print('refused')"
    )
    assert said.strip() == "refused"


@needs_hub
@needs_root
def test_a_python_that_learners_cannot_run_is_said_at_once(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)  # pytest's folders are their owner's alone
    code = f"import runpy; runpy.run_path({str(CONFIG)!r}, {{'get_config': dict}})"
    run = subprocess.run(
        [tmp_path / "python", "-c", code], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith(f"learners cannot run {tmp_path / 'python'}"), run.stderr


def test_the_configuration_says_what_it_needs():
    """What stands in it is told of in INSTRUCTOR.md, and the other way round."""
    text = CONFIG.read_text("utf-8")
    variables = set(re.findall(r"QLAB_HUB_\w+", text))
    told = set(re.findall(r"QLAB_HUB_\w+", (REPOSITORY / "INSTRUCTOR.md").read_text("utf-8")))
    assert variables == told
