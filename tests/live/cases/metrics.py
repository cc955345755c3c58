"""The agent's own metrics.

Guarantees that what Prometheus scrapes is well formed by promtool's rules, before and after traffic.
"""

import subprocess

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from shop import Shop
from world import Skip, expect, expect_true, http, wait_until


def promtool_accepts_the_metrics(world):
    """A scrape of an idle agent and one after some traffic."""
    if not world.promtool:
        raise Skip("promtool")
    agent = world.agent()
    lint(world, scrape(agent))
    shop = Shop(lambda: OTLPSpanExporter(endpoint=agent.url("otlp_http", "/v1/traces")), seed=6)
    shop.sell(200)
    expect(shop.close(), 0, "failed exports")
    wait_until(lambda: agent.red() == shop.red, 15, "every span is counted")
    after = wait_until(lambda: b"checkout" in scrape(agent) and scrape(agent), 10, "the metrics name the service")
    lint(world, after)


def scrape(agent):
    """One scrape, as Prometheus asks for it."""
    headers = {"accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
    status, answer, body = http("GET", agent.url("metrics", "/metrics"), headers=headers)
    expect(status, 200, "GET /metrics")
    expect_true(answer["content-type"].startswith("text/plain"), f"content type {answer['content-type']}")
    return body


def lint(world, body):
    """promtool's own check: exit code 0 and nothing said."""
    done = subprocess.run([world.promtool, "check", "metrics"], input=body, capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).decode()
    expect((done.returncode, said), (0, ""), "promtool check metrics")
