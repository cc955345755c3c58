"""A JS service whose head sampler the loop steers.

Guarantees that chunked OTLP over HTTP is accepted, that the loop decides on a head probability when SDKs send more than the
budget, and that the share of traces the SDK really starts is within 10 % of that decision.
"""

import json
import shutil
import subprocess

from world import Skip, expect, expect_true, wait_until

SERVICE = "web"
BUDGET = 300  # Spans a second that may arrive.
OFFERED = 2000  # Spans a second that the service would send.
WITHIN = 0.10
SPANS_MIN = 20_000  # At 15 % that is 3000 sampled: a relative standard error below 2 %.


def the_js_sampler_follows_the_loop(world):
    """The service offers far more than the budget, and is told to sample."""
    if not shutil.which("node") or not world.node_modules:
        raise Skip("node and the packages of package.json")
    agent = world.agent({"tracing": {"sampling": {"maxReceivedSpansPerSecond": BUDGET}}})
    windows = Windows(world, agent)
    wait_until(lambda: windows.settled() and SPANS_MIN <= windows.started(), 150, "a decision below one is followed")
    expected, effective = windows.expected(), windows.effective()
    off = abs(effective - expected) / expected
    expect_true(off <= WITHIN, f"effective rate {effective:.4f}, decided {expected:.4f}: off by {off:.1%}")
    sent = windows.stop()
    expect(sent["failed"], 0, "failed exports")
    wait_until(lambda: agent.red().get(SERVICE, {}).get("spans_received") == sent["exported"], 15, "every span arrives")
    return f"decided {expected:.4f}, effective {effective:.4f} over {windows.started()} spans"


class Windows:
    """What the JS service prints: one JSON line a second."""

    def __init__(self, world, agent):
        script = world.node_modules.parent / "service.mjs"
        shutil.copy(__file__.replace("cases/js_sdk.py", "service.mjs"), script)
        self.log = world.folder / "js.log"
        sampling, otlp = agent.url("sampling_http"), agent.url("otlp_http", "/v1/traces")
        command = ["node", script, sampling, otlp, SERVICE, str(OFFERED)]
        self.output = open(self.log, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT)
        world.closing.append(self.end)

    def lines(self):
        """Everything printed so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def settled(self):
        """Windows during which the decision was below one, constant, and already held by the SDK."""
        windows = [line for line in self.lines() if "before" in line]
        return [w for w in windows if w["before"] == w["after"] == w["held"] and w["before"] < 1]

    def started(self):
        return sum(window["started"] for window in self.settled())

    def expected(self):
        """The decision, weighted by how many spans each window had."""
        return sum(window["before"] * window["started"] for window in self.settled()) / self.started()

    def effective(self):
        return sum(window["sampled"] for window in self.settled()) / self.started()

    def stop(self):
        """Lets the service send what is left and say how much it sent."""
        self.process.stdin.close()
        self.process.wait(30)
        return next(line for line in reversed(self.lines()) if "exported" in line)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.output.close()
