"""The agent's counts of spans, as a backend of metrics gets them.

Guarantees that they are those of every span that was sent although few are kept, that durations add up to the same, that
the service graph is there, and that the exemplars of errors lead to traces that were kept.
"""

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from shop import Shop
from sink import Sink
from world import expect_true, wait_equal, wait_until

TRACES = 1000
CALLS, DURATION = "traces.span.metrics.calls", "traces.span.metrics.duration"


def counts_leave_whatever_is_kept(world):
    """Hardly any ordinary trace is kept; the metrics know all."""
    sink = Sink()
    world.closing.append(sink.close)
    exporters = {"exporters": [{"type": "otlp", "endpoint": sink.address}]}
    sampling = {"sampling": {"strategy": "probabilistic", "rate": 0.0001}}
    agent = world.agent({"tracing": sampling | exporters, "metrics": exporters | {"spanMetricsInterval": "1s"}})
    shop = Shop(lambda: OTLPSpanExporter(endpoint=agent.doors["otlp_grpc"], insecure=True), seed=5)
    shop.sell(TRACES)
    shop.close()

    def spans_in(series, **wanted):
        """Of all series of spans with these attributes."""
        with sink.lock:
            chosen = [
                value if isinstance(value, int) else value[0]
                for (name, attributes), value in series.items()
                if name in (CALLS, DURATION) and wanted.items() <= dict(attributes).items()
            ]
        return sum(chosen)

    names = {role: {"service.name": shop.names[role]} for role in shop.SERVICES}
    sent = {role: shop.red[shop.names[role]]["spans_received"] for role in shop.SERVICES}
    for what, series in (("calls", sink.counters), ("durations", sink.histograms)):
        wait_equal(lambda: {role: spans_in(series, **names[role]) for role in names}, sent, 30, f"{what} per service")
    failed = {"service.name": shop.names["cart"], "span.kind": "SPAN_KIND_SERVER", "status.code": "STATUS_CODE_ERROR"}
    errors = shop.red[shop.names["cart"]]["errors"]
    wait_equal(lambda: spans_in(sink.counters, **failed), errors, 30, "failed calls")

    edge = frozenset({("client", shop.names["checkout"]), ("server", shop.names["cart"])})
    graph = "traces_service_graph_request_total", "traces_service_graph_request_failed_total"
    wait_equal(lambda: tuple(sink.counters.get((name, edge)) for name in graph), (TRACES, errors), 30, "the service graph")

    def examples():
        with sink.lock:
            series = [(dict(attributes), value) for (_, attributes), value in sink.histograms.items()]
        return [trace for attributes, (_, _, traces) in series if failed.items() <= attributes.items() for trace in traces]

    found = wait_until(examples, 30, "errors have an example")
    wait_until(lambda: set(found) <= sink.traces, 30, "the examples of errors were kept")
    expect_true(sink.total() < sum(sent.values()), "not everything was kept")
    return f"{sum(sent.values())} spans counted, {sink.total()} kept, {len(found)} examples of errors"
