"""The Python SDK over gRPC and over HTTP, plain and with gzip.

Guarantees that every span is accepted, and that requests, errors, slow requests and the service graph are exactly what was
sent; and that metrics and logs reach the exporter unchanged.
"""

import grpc
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from shop import Shop
from sink import Sink
from world import expect, expect_true, wait_equal, wait_until

TRACES = 2000
COUNTERS = 7
RECORDS = 300


def ways(agent):
    """Each way of sending, with an exporter for it."""
    target, url = agent.doors["otlp_grpc"], agent.url("otlp_http", "/v1/traces")
    return {
        "-grpc": lambda: OverGrpc(endpoint=target, insecure=True),
        "-grpc-gzip": lambda: OverGrpc(endpoint=target, insecure=True, compression=grpc.Compression.Gzip),
        "-http": lambda: OverHttp(endpoint=url),
        "-http-gzip": lambda: OverHttp(endpoint=url, compression=Compression.Gzip),
    }


def traces_are_counted_exactly(world):
    """Every way of sending at its own pair of services, then all compared with the truth."""
    agent = world.agent()
    truth, edges = {}, {}
    for seed, (suffix, exporter) in enumerate(ways(agent).items()):
        shop = Shop(exporter, seed, suffix)
        shop.sell(TRACES)
        expect(shop.close(), 0, f"failed exports over {suffix}")
        truth |= shop.red
        edges |= shop.edges()
    wait_equal(agent.red, truth, 15, "requests, errors, slow, spans per service")
    wait_equal(agent.edges, edges, 15, "calls and failed calls per edge")


def metrics_and_logs_pass_through(world):
    """Metrics and logs arrive at the exporter, each once."""
    sink = Sink()
    world.closing.append(sink.close)
    exporters = {"exporters": [{"type": "otlp", "endpoint": sink.address}]}
    agent = world.agent({"metrics": exporters, "logs": exporters})
    target = agent.doors["otlp_grpc"]

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=target, insecure=True), 3_600_000)
    meters = MeterProvider(metric_readers=[reader])
    for number in range(COUNTERS):
        meters.get_meter("live").create_counter(f"sold_{number}").add(1)
    expect_true(meters.force_flush(20_000), "metrics are accepted")

    loggers = LoggerProvider()
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=target, insecure=True)))
    for number in range(RECORDS):
        record = LogRecord(body=f"sold {number}", severity_number=SeverityNumber.INFO, timestamp=1 + number)
        loggers.get_logger("live").emit(record)
    expect_true(loggers.force_flush(20_000), "logs are accepted")

    wait_until(lambda: COUNTERS <= sink.metrics and RECORDS <= sink.logs, 20, "metrics and logs reach the exporter")
    expect((sink.metrics, sink.logs), (COUNTERS, RECORDS), "metrics and log records at the exporter")
    loggers.shutdown()
    meters.shutdown()
