"""Somebody else's collector in front of the agent.

Guarantees that everything another implementation of OTLP forwards arrives, and is counted as if it came directly.
"""

import importlib.util
import socket
from pathlib import Path

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from shop import Shop
from world import Skip, expect, wait_equal, wait_until

TRACES = 2000


def all_spans_arrive_through_rotel(world):
    """The SDK sends to rotel, rotel to the agent."""
    found = importlib.util.find_spec("rotel")
    binary = found and Path(found.origin).parent / "rotel-agent"
    if not binary or not binary.exists():
        raise Skip("the rotel package of requirements.txt")
    agent = world.agent()
    grpc_port, http_port = free_port(), free_port()
    rotel = world.process(
        [
            binary, "start",
            "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}",
            "--otlp-http-endpoint", f"127.0.0.1:{http_port}",
            "--otlp-exporter-endpoint", agent.url("otlp_grpc"),
        ],
        "rotel.log",
        cwd=world.folder,
    )
    wait_until(lambda: rotel.poll() is None and is_open(grpc_port), 20, "rotel opens its door")
    shop = Shop(lambda: OTLPSpanExporter(endpoint=f"127.0.0.1:{grpc_port}", insecure=True), seed=4)
    shop.sell(TRACES)
    expect(shop.close(), 0, "failed exports to rotel")
    wait_equal(agent.red, shop.red, 30, "requests, errors, slow, spans per service")


def free_port():
    """A port that was free a moment ago; rotel cannot be asked which one it chose."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_open(port):
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
