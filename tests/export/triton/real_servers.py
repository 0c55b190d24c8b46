"""Servers that others wrote, started on this machine for a test and ended after it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_S, END_S = 240, 60


@dataclass(frozen=True)
class RealServer:
    """The addresses of a server, host and port each, and the file of what it says."""

    http: str
    grpc: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.http}"


def program_named(variable: str, usual: str) -> Path:
    """The program that a variable of the environment names, or that PATH has; skips the test without either."""
    found = os.environ.get(variable) or shutil.which(usual)
    if not found:
        pytest.skip(f"needs {usual} in PATH, or its path in {variable}")
    return Path(found).resolve(strict=True)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def triton(repository: Path, work: Path, checkout: Path) -> Iterator[RealServer]:
    """Triton over a repository, looking for new versions each second.

    Its Python backend takes the packages of the first `python3` in PATH, here this one's, and this checkout before
    them, since it is the working directory. The wheel nvidia-pytriton has a stub for each Python beside its backend.
    """
    server = program_named("SALU_ZOO_TRITON", "tritonserver")
    backends, stub = server.parent.parent / "backends", _stub(server)
    if stub.is_file():
        shutil.copytree(backends, work / "backends")
        backends = work / "backends"
        shutil.copyfile(stub, backends / "python" / stub.name)
        (backends / "python" / stub.name).chmod(0o755)
    libraries = [sysconfig.get_config_var("LIBDIR"), *map(str, server.parents[3].glob("nvidia_pytriton.libs"))]
    paths = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [*libraries, os.environ.get("LD_LIBRARY_PATH")])),
    }
    http, grpc = free_ports(2)
    command = [server, f"--model-repository={repository}", f"--backend-directory={backends}", "--allow-metrics=false"]
    command += ["--model-control-mode=poll", "--repository-poll-secs=1", "--disable-auto-complete-config"]
    command += ["--http-address=127.0.0.1", f"--http-port={http}", "--grpc-address=127.0.0.1", f"--grpc-port={grpc}"]
    with _running(command, work / "triton.log", checkout, paths, http, grpc) as running:
        yield running


def _stub(server: Path) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return server.parent.parent / "python_backend_stubs" / version / "triton_python_backend_stub"


@contextmanager
def mlserver(folder: Path, work: Path) -> Iterator[RealServer]:
    """MLServer over a folder with a model's settings and its code."""
    program = program_named("SALU_ZOO_MLSERVER", "mlserver")
    http, grpc, metrics = free_ports(3)
    ports = {"HTTP_PORT": http, "GRPC_PORT": grpc, "METRICS_PORT": metrics, "PARALLEL_WORKERS": 0}
    settings = {f"MLSERVER_{name}": str(value) for name, value in ports.items()} | {"MLSERVER_HOST": "127.0.0.1"}
    with _running([program, "start", folder], work / "mlserver.log", work, settings, http, grpc) as running:
        yield running


@contextmanager
def _running(
    command: Sequence[object], log: Path, cwd: Path, variables: dict[str, str], http: int, grpc: int
) -> Iterator[RealServer]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            list(map(str, command)), cwd=cwd, env=os.environ | variables, stdout=said, stderr=subprocess.STDOUT
        )
    running = RealServer(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", log)
    try:
        _wait(process, running)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], running: RealServer) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{running.url}/v2/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"{process.args[0]} is not ready:\n{running.log.read_text('utf-8', 'replace')[-4000:]}")
