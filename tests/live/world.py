"""What a live case needs: an agent of its own, a place for files, and ways to wait and to compare.

Knows nothing of any case. Every agent gets ports that the machine chooses and a state directory of its own, so cases can
run next to each other and next to an agent that is already there. Processes are ended by the handle that started them.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_WITHIN_S = 20
STOP_WITHIN_S = 20

# Every door on a port the machine chooses.
DOORS = {
    "receivers": {
        "otlpGrpc": "127.0.0.1:0",
        "otlpHttp": "127.0.0.1:0",
        "remoteSamplingHttp": "127.0.0.1:0",
        "remoteSamplingGrpc": "127.0.0.1:0",
    },
    "api": {"address": "127.0.0.1:0"},
    "telemetry": {"metricsAddress": "127.0.0.1:0"},
}


class Skip(Exception):
    """The case cannot be played on this machine; the text says what is missing."""


class Wrong(Exception):
    """The agent did not do what the case demands."""


def expect(found, wanted, what):
    """Fails unless both are equal."""
    if found != wanted:
        raise Wrong(f"{what}: found {found!r}, expected {wanted!r}")


def expect_true(condition, what):
    """Fails unless the condition holds."""
    if not condition:
        raise Wrong(what)


def wait_until(condition, within_s, what):
    """The first true value of `condition`, or a failure that names the last one."""
    deadline = time.monotonic() + within_s
    last = None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.1)
    raise Wrong(f"{what}: not within {within_s} s; last {last!r}")


def wait_equal(read, wanted, within_s, what):
    """Waits until `read()` equals `wanted`; on failure both are shown."""
    deadline = time.monotonic() + within_s
    while True:
        found = read()
        if found == wanted:
            return
        if deadline < time.monotonic():
            expect(found, wanted, what)
        time.sleep(0.1)


def http(method, url, body=None, headers=None, timeout_s=20):
    """Status, headers and body of one request; an error status is an answer like any other."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class World:
    """One case's corner of the machine."""

    def __init__(self, arguments, folder):
        self.binary = str(arguments.agent.resolve())
        self.folder = Path(folder)
        self.node_modules = arguments.node_modules
        self.promtool = arguments.promtool
        self.closing = []
        self.agents = 0

    def manifest(self, spec, name="manifest.yaml"):
        """Writes a manifest with this `spec`; doors that it does not name get ports of their own."""
        document = {
            "apiVersion": "homeostat.dev/v1alpha1",
            "kind": "ObservabilityManifest",
            "metadata": {"name": "live"},
            "spec": {**DOORS, **spec},
        }
        path = self.folder / name
        path.write_text(json.dumps(document, indent=1))  # JSON is YAML.
        return path

    def agent(self, spec=None, state_dir=None):
        """Starts an agent and waits until its doors are open."""
        self.agents += 1
        agent = Agent(self, self.manifest(spec or {}, f"agent-{self.agents}.yaml"), state_dir)
        self.closing.append(agent.stop)
        agent.wait_ready()
        return agent

    def run(self, *arguments, timeout_s=30):
        """Runs the binary to its end: exit code, stdout, stderr."""
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def process(self, command, log, **options):
        """Starts any other process; it is ended with the case."""
        with open(self.folder / log, "wb") as output:
            process = subprocess.Popen(
                list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options
            )
        self.closing.append(lambda: end(process))
        return process

    def close(self):
        """Ends everything that was started, the latest first."""
        while self.closing:
            self.closing.pop()()

    def tail(self, lines=15):
        """The end of every log, for a failure's report."""
        parts = []
        for log in sorted(self.folder.glob("**/*.log")):
            text = log.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {log.name}\n" + "\n".join(text))
        return "\n".join(parts)


def end(process):
    """Asks a process to stop, and insists after a while."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)


class Agent:
    """A running agent."""

    def __init__(self, world, manifest, state_dir=None):
        self.state_dir = Path(state_dir or world.folder / f"state-{world.agents}")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        (self.state_dir / "doors.json").unlink(missing_ok=True)
        self.log = world.folder / f"agent-{world.agents}.log"
        command = [world.binary, "run", "--manifest", str(manifest), "--state-dir", str(self.state_dir)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.doors = {}

    def wait_ready(self):
        """Waits until the doors are open and the API answers."""

        def ready():
            if self.process.poll() is not None:
                raise Wrong(f"the agent ended with {self.process.returncode}: {self.text()[-600:]}")
            try:
                self.doors = json.loads((self.state_dir / "doors.json").read_text())
                return http("GET", self.url("api", "/healthz"))[0] == 200
            except (OSError, ValueError):
                return False

        wait_until(ready, READY_WITHIN_S, "the agent opens its doors")

    def url(self, door, path=""):
        """An address of the agent, over HTTP."""
        return f"http://{self.doors[door]}{path}"

    def get(self, path):
        """One JSON document of the API."""
        status, _, body = http("GET", self.url("api", path))
        expect(status, 200, f"GET {path}")
        return json.loads(body)

    def red(self):
        """Per service: requests, errors, slow ones, spans received."""
        keys = ("requests", "errors", "slow", "spans_received")
        services = self.get("/v1/aggregates")["services"]
        return {service["service"]: {key: service[key] for key in keys} for service in services}

    def edges(self):
        """Per pair of services: calls and failed calls."""
        edges = self.get("/v1/aggregates")["edges"]
        return {(edge["caller"], edge["callee"]): (edge["calls"], edge["errors"]) for edge in edges}

    def sampling(self, service):
        """The answer a Jaeger remote sampler would get."""
        status, _, body = http("GET", self.url("sampling_http", f"/sampling?service={service}"))
        expect(status, 200, "GET /sampling")
        return json.loads(body)

    def text(self):
        """What the agent has logged."""
        return self.log.read_text(errors="replace")

    def is_alive(self):
        """Whether the agent still runs."""
        return self.process.poll() is None

    def kill(self):
        """Ends the agent as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_WITHIN_S)

    def stop(self):
        """Asks the agent to stop."""
        end(self.process)
