"""What a backend can know from kept traces.

Guarantees that with a tenth kept, the adjusted counts of what arrives at the exporter estimate what was sent, per service,
within 3 %, and that no failed request is lost.
"""

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from shop import Shop
from sink import Sink
from world import expect, expect_true, wait_until

TRACES = 100_000
WITHIN = 0.03
# The rate holds in the long run. Half a minute is short: failed and slow traces (4.5 %) come on top until the loop has made
# room for them, and right after the start of a load it may allow twice the rate for some seconds.
SHARE_MAX = 0.35
# The agent waits for late spans before it decides; a stable count for this long means that all is sent.
QUIET_S = 6


def kept_traces_estimate_the_sent_ones(world):
    """A hundred thousand traces at a rate of a tenth."""
    sink = Sink()
    world.closing.append(sink.close)
    sampling = {"strategy": "adaptive", "rate": 0.1, "maxKeptSpansPerSecond": 1_000_000}
    exporters = [{"type": "otlp", "endpoint": sink.address}]
    agent = world.agent({"tracing": {"sampling": sampling, "exporters": exporters}})
    target = agent.doors["otlp_grpc"]
    shop = Shop(lambda: OTLPSpanExporter(endpoint=target, insecure=True, timeout=30), seed=20)
    shop.sell(TRACES, pause_every=20)
    expect(shop.close(), 0, "failed exports")
    wait_until(lambda: agent.red() == shop.red, 30, "every span is counted")
    settle(sink)

    for service, truth in shop.red.items():
        estimate = sink.requests.get(service, 0)
        close(estimate, truth["requests"], f"requests of {service} estimated from kept traces")
        expect(round(sink.errors.get(service, 0)), truth["errors"], f"failed requests of {service} at the exporter")
    sent = sum(truth["spans_received"] for truth in shop.red.values())
    share = sink.total() / sent
    expect_true(share < SHARE_MAX, f"most spans are not kept, found {share:.3f}; thresholds {sink.thresholds}")
    detail = {service: round(sink.requests[service] / truth["requests"], 4) for service, truth in shop.red.items()}
    by_chance = {f"{1 / (1 - th / 2**56):.1f}": spans for th, spans in sink.thresholds.items() if th}
    return f"kept {share:.1%} of {sent} spans; estimate / truth {detail}; spans per adjusted count {by_chance}"


def settle(sink):
    """Waits until nothing has arrived for a while."""
    seen = {"total": -1, "since": 0}

    def quiet():
        total = sink.total()
        seen["since"] = seen["since"] + 1 if total == seen["total"] else 0
        seen["total"] = total
        return 0 < total and QUIET_S * 10 <= seen["since"]

    wait_until(quiet, 90, "the exporter comes to rest")


def close(estimate, truth, what):
    """Fails when the estimate is off by more than the bound."""
    error = abs(estimate - truth) / truth
    expect_true(error <= WITHIN, f"{what}: {estimate:.0f} for {truth}, off by {error:.1%}")
