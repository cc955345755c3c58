"""The servers of the comparison: how each is started, pinned and told what to do, and how its idle cost is read.

Knows nothing of cases and figures. Every server listens on loopback, on ports of its own, in a folder of its own, and is
ended by the handle that started it. What cannot be started on this machine raises `Missing` with what would help.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

READY_WITHIN_S = 30
STOP_WITHIN_S = 20

# What each server can do. `receive`: take and forget; `sample`: keep errors and a tenth of the rest, export those; `share`:
# keep a tenth of the spans by trace id alone; `forward`: export everything.
ROLES = {
    "floor-raw": ["receive"],
    "floor-scan": ["receive"],
    "homeostat": ["receive", "sample", "forward"],
    "rotel": ["receive", "forward"],
    "collector": ["receive", "sample", "share", "forward"],
}

COLLECTOR_CONFIGS = {
    "receive": "receive.yaml",
    "sample": "tail_sampling.yaml",
    "share": "probabilistic_sampler.yaml",
    "forward": "forward.yaml",
}


class Missing(Exception):
    """Something that is not on this machine."""


class Tools:
    """Where the programs are."""

    def __init__(self, load, agent, rotel, collector):
        self.load, self.agent, self.rotel, self.collector = load, agent, rotel, collector

    def path(self, name):
        """The program, or `Missing`."""
        path = getattr(self, name)
        if not path or not Path(path).exists():
            raise Missing(f"{name} ({path})")
        return str(Path(path).resolve())


class Running:
    """A started process with its doors."""

    def __init__(self, process, grpc, http, sampling=None):
        self.process, self.grpc, self.http, self.sampling = process, grpc, http, sampling

    @property
    def pid(self):
        """The process."""
        return self.process.pid

    def stop(self):
        """Asks it to stop, and insists after a while."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_WITHIN_S)


def spawn(command, cores, log, **options):
    """Starts a process on these cores only."""
    with open(log, "wb") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            **options,
        )


def start(tools, server, role, cores, folder, sink):
    """Starts `server` in `role` on `cores`; it exports to `sink` (host:port)."""
    folder = Path(folder)
    if server.startswith("floor-"):
        return start_sink(tools, server.removeprefix("floor-"), cores, folder, f"{server}.log")
    starter = {"homeostat": start_homeostat, "rotel": start_rotel, "collector": start_collector}[server]
    return starter(tools, role, cores, folder, sink)


def start_sink(tools, mode, cores, folder, log):
    """The sink of the load generator."""
    log = Path(folder) / log
    command = [tools.path("load"), "sink", "--mode", mode, "--threads", len(cores)]
    process = spawn(command, cores, log)

    def listening():
        lines = log.read_text().splitlines()
        return json.loads(lines[0])["listening"] if lines else None

    address = wait(process, listening, log)
    return Running(process, address, address)


def start_homeostat(tools, role, cores, folder, sink):
    """The agent, with what it would do by default except for the share that is kept."""
    doors = {
        "receivers": {
            "otlpGrpc": "127.0.0.1:0",
            "otlpHttp": "127.0.0.1:0",
            "remoteSamplingHttp": "127.0.0.1:0",
            "remoteSamplingGrpc": "127.0.0.1:0",
        },
        "api": {"address": "127.0.0.1:0"},
        "telemetry": {"metricsAddress": "127.0.0.1:0"},
    }
    exporters = [] if role == "receive" else [{"type": "otlp", "endpoint": sink, "protocol": "grpc"}]
    sampling = {"strategy": "always"} if role == "forward" else {"strategy": "probabilistic", "rate": 0.1}
    spec = {
        **doors,
        "tracing": {"sampling": sampling, "exporters": exporters},
        "metrics": {"exporters": exporters},
        "logs": {"exporters": exporters},
    }
    manifest = folder / "manifest.yaml"
    manifest.write_text(
        json.dumps(
            {
                "apiVersion": "homeostat.dev/v1alpha1",
                "kind": "ObservabilityManifest",
                "metadata": {"name": "bench"},
                "spec": spec,
            }
        )
    )
    state = folder / "state"
    state.mkdir()
    log = folder / "homeostat.log"
    command = [tools.path("agent"), "run", "--manifest", manifest, "--state-dir", state]
    process = spawn(command, cores, log)

    def opened():
        doors = state / "doors.json"
        return json.loads(doors.read_text()) if doors.exists() else None

    doors = wait(process, opened, log)
    return Running(process, doors["otlp_grpc"], doors["otlp_http"])


def start_rotel(tools, role, cores, folder, sink):
    """rotel as it is shipped, but uncompressed like all others."""
    grpc, http = free_address(), free_address()
    command = [tools.path("rotel"), "start", "--otlp-grpc-endpoint", grpc, "--otlp-http-endpoint", http]
    if role == "receive":
        command += ["--exporter", "blackhole"]
    else:
        command += ["--exporter", "otlp", "--otlp-exporter-endpoint", f"http://{sink}"]
        command += ["--otlp-exporter-compression", "none"]
    log = folder / "rotel.log"
    process = spawn(command, cores, log, cwd=folder)
    wait(process, lambda: is_open(grpc) and is_open(http), log)
    return Running(process, grpc, http)


def start_collector(tools, role, cores, folder, sink):
    """The Collector with one of the configurations beside this file."""
    grpc, http = free_address(), free_address()
    config = Path(__file__).parent / "collector" / COLLECTOR_CONFIGS[role]
    env = {"BENCH_GRPC": grpc, "BENCH_HTTP": http, "BENCH_SINK": sink or "", "PATH": os.environ["PATH"]}
    log = folder / "collector.log"
    process = spawn([tools.path("collector"), "--config", f"file:{config}"], cores, log, env=env)
    wait(process, lambda: is_open(grpc) and is_open(http), log)
    return Running(process, grpc, http)


def wait(process, ready, log):
    """The first true value of `ready()`."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        value = ready()
        if value:
            return value
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError(f"{process.args[0]} did not start:\n{Path(log).read_text(errors='replace')[-2000:]}")


def free_address():
    """An address that was free a moment ago; these servers cannot be asked which one they chose."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def is_open(address):
    """Whether somebody listens."""
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def stats(sink):
    """What the sink has counted."""
    with urllib.request.urlopen(f"http://{sink.http}/stats", timeout=20) as answer:
        return json.loads(answer.read())


def cpu_seconds(pid):
    """CPU time of all threads, to the nanosecond: idle costs less than a tick."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_mib(pid):
    """Resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no memory")
