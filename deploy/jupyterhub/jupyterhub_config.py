"""JupyterHub for a class on one Linux server; `make hub` tries it, INSTRUCTOR.md explains it.

Each learner is a user of the server. Their notebooks, kernels and files are theirs alone.
"""

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

from qlab.system.threads import POOLS

CHECKOUT = Path(__file__).resolve().parents[2]
asked = os.environ.get

BIND = asked("QLAB_HUB_BIND", "http://127.0.0.1:8000")
GROUP = asked("QLAB_HUB_GROUP", "learners")  # who may log in
STATE = Path(asked("QLAB_HUB_STATE", CHECKOUT / ".hub"))  # cookies and users of the hub
CLASS = asked("QLAB_HUB_CLASS", "")  # such as /srv/class: where progress goes, a folder a learner
TEACHERS = asked("QLAB_HUB_TEACHERS", "teachers")  # the group that may read there
MEMORY_GB = float(asked("QLAB_HUB_MEMORY_GB", "3"))  # that one kernel may fill
THREADS = asked("QLAB_HUB_THREADS", "1")  # of each kernel
IDLE = int(asked("QLAB_HUB_IDLE", "1800"))  # seconds until a kernel, and later a server, is ended

IS_ROOT = os.geteuid() == 0


def may_be_run():
    """Whether somebody without any rights can run this Python and read this checkout."""
    nobody = pwd.getpwnam("nobody")
    rights = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    command = [sys.executable, "-c", "import qlab, jupyterhub"]
    try:
        tried = subprocess.run(command, **rights, env={}, cwd="/", capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


if IS_ROOT and not may_be_run():
    sys.exit(
        f"learners cannot run {sys.executable} or read {CHECKOUT}. Put the checkout where all may "
        "read it, such as /srv/qlab, and set it up with a Python that all may run"
    )
if CLASS and not IS_ROOT:
    sys.exit("QLAB_HUB_CLASS needs root, who makes a folder for each learner")

c = get_config()  # noqa: F821  JupyterHub gives it

STATE.mkdir(mode=0o700, exist_ok=True)
c.JupyterHub.bind_url = BIND
c.JupyterHub.db_url = f"sqlite:///{STATE / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
# A proxy in Python, so that the server needs no node. It speaks no HTTPS: nginx or Caddy does.
c.ConfigurableHTTPProxy.command = [
    sys.executable, "-c", "from configurable_http_proxy.cli import main; main()",
]  # fmt: skip
c.JupyterHub.cleanup_servers = True

c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.open_sessions = False
if IS_ROOT:
    c.PAMAuthenticator.allowed_groups = {GROUP}
else:  # a trial: only whoever starts it can be logged in
    c.Authenticator.allowed_users = {pwd.getpwuid(os.geteuid()).pw_name}

# One process a learner, with the learner's uid. Memory is limited for each kernel, because a
# kernel that fills the server would take all others with it.
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.LocalProcessSpawner.popen_kwargs = {"umask": 0o077}
c.Spawner.cmd = [
    "prlimit", f"--data={int(MEMORY_GB * 2**30)}", "--core=0",
    sys.executable, "-m", "qlab.cli", "lab", "--to", "~/qlab",
]  # fmt: skip
c.Spawner.args = [
    "--KernelManager.transport=ipc",  # over TCP other users of the server could listen
    f"--MappingKernelManager.cull_idle_timeout={IDLE}",
    "--MappingKernelManager.cull_connected=True",
    f"--ServerApp.shutdown_no_activity_timeout={2 * IDLE}",
]
c.Spawner.default_url = "/lab/tree/00_welcome.ipynb"
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.Spawner.environment = {
    "QLAB_THREADS": THREADS, **dict.fromkeys(POOLS, THREADS),
    "QLAB_LEARNER": lambda spawner: spawner.user.name,
}  # fmt: skip


def make_class_folder(spawner):
    """As root: a folder where the learner writes and the teachers read, and nobody else can."""
    folder = Path(CLASS) / spawner.user.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(folder, pwd.getpwnam(spawner.user.name).pw_uid, grp.getgrnam(TEACHERS).gr_gid)
    folder.chmod(0o2750)


if CLASS:
    c.Spawner.pre_spawn_hook = make_class_folder
    c.Spawner.environment["QLAB_PROGRESS"] = lambda spawner: (
        f"{CLASS}/{spawner.user.name}/progress.json"
    )
