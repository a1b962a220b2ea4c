"""A Slurm cluster of one node on this machine: no systemd, no cgroups, no accounting."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")

SLURM_CONF = """
ClusterName=fzmm
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
JobRequeue=1
KillWait=15
InactiveLimit=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Features=fast State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    return [name for name in PROGRAMS if shutil.which(name) is None]


def install():
    """Debian's packages; what `make test-slurm` may do in a container and a laptop should not."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"],
    ):
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Start the cluster, and stop it afterwards."""
    if os.environ.get("FZMM_TEST_SLURM") != "1":
        pytest.skip("installs and starts Slurm: run `make test-slurm`")
    if os.geteuid() != 0:
        pytest.skip("starting Slurm needs root")
    if missing() and shutil.which("apt-get"):
        install()
    if missing():
        pytest.skip(f"{', '.join(missing())} not found: apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(
        SLURM_CONF.format(host=socket.gethostname(), folder=folder, cpus=os.cpu_count() or 1)
    )
    os.environ["SLURM_CONF"] = str(conf)
    started = start_munge()
    for program in ("slurmctld", "slurmd"):
        started.append(start([program, "-D", "-f", str(conf)], folder / f"{program}.out"))
    try:
        wait_until_idle(folder)
        yield folder
    finally:
        subprocess.run(["scancel", "--me"])
        time.sleep(1)
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        del os.environ["SLURM_CONF"]


def start(command, log):
    return subprocess.Popen(
        command, stdout=open(log, "wb"), stderr=subprocess.STDOUT, start_new_session=True
    )


def start_munge():
    """Start munged as its own user, unless it runs already."""
    if subprocess.run(["munge", "-n"], capture_output=True).returncode == 0:
        return []
    if not os.path.exists("/etc/munge/munge.key"):
        subprocess.run(["mungekey", "--create"], check=True)
    for path in ("/run/munge", "/var/log/munge", "/var/lib/munge", "/etc/munge"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["chown", "-R", "munge:munge", path], check=True)
    os.chmod("/run/munge", 0o755)
    munged = start(
        ["runuser", "-u", "munge", "--", shutil.which("munged"), "--foreground"], os.devnull
    )
    deadline = time.monotonic() + 20
    while subprocess.run(["munge", "-n"], capture_output=True).returncode:
        assert time.monotonic() < deadline, "munged does not answer"
        time.sleep(0.2)
    return [munged]


def wait_until_idle(folder, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        asked = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
        if asked.stdout.strip() == "idle":
            return
        if time.monotonic() > deadline:
            logs = [path.read_text(errors="replace")[-2000:] for path in folder.glob("*.log")]
            raise AssertionError("\n".join([asked.stdout, asked.stderr, *logs]))
        time.sleep(0.3)
