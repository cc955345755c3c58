"""The backend behind the agent: takes OTLP over gRPC and remembers what matters of every span.

Counts adjusted counts as a backend would: a span whose tracestate says `ot=th:T` stands for 1/p spans, where p is the
share of the 2^56 random values that lie at or above T. A span without a threshold stands for itself.
"""

import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

SERVER = 2  # SpanKind on the wire.
ERROR = 2  # StatusCode on the wire.
MESSAGE_BYTES_MAX = 64 << 20


def threshold(tracestate):
    """The rejection threshold of a tracestate, out of 2^56; None where there is none."""
    for member in tracestate.split(","):
        key, _, value = member.strip().partition("=")
        if key == "ot":
            for field in value.split(";"):
                name, _, text = field.partition(":")
                if name == "th":
                    return int(text.ljust(14, "0"), 16)
    return None


def adjusted_count(tracestate):
    """How many spans this one stands for."""
    rejected = threshold(tracestate)
    return 1.0 if rejected is None else (1 << 56) / ((1 << 56) - rejected)


class Sink:
    """A gRPC server on a port of its own."""

    def __init__(self):
        self.lock = threading.Lock()
        self.spans = {}  # Service: spans received.
        self.requests = {}  # Service: adjusted count of its SERVER spans.
        self.errors = {}  # Service: adjusted count of its failed SERVER spans.
        self.thresholds = {}  # Threshold: spans with it.
        self.traces = set()  # Ids of traces of which a span was received.
        self.metrics = 0
        self.counters = {}  # Name and attributes of a sum: its latest value.
        self.histograms = {}  # Name and attributes of an exponential histogram: its latest count, sum and exemplars so far.
        self.logs = 0
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)]
        self.server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(self), self.server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(self), self.server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(self), self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def take(self, service, span):
        """Counts one span."""
        add(self.spans, service, 1)
        add(self.thresholds, threshold(span.trace_state), 1)
        self.traces.add(span.trace_id)
        if span.kind == SERVER:
            weight = adjusted_count(span.trace_state)
            add(self.requests, service, weight)
            if span.status.code == ERROR:
                add(self.errors, service, weight)

    def measure(self, metric):
        """Keeps the latest of every cumulative series."""
        for point in metric.sum.data_points:
            self.counters[metric.name, labels(point)] = point.as_int
        for point in metric.exponential_histogram.data_points:
            _, _, exemplars = self.histograms.get((metric.name, labels(point)), (0, 0.0, []))
            exemplars = exemplars + [exemplar.trace_id for exemplar in point.exemplars]
            self.histograms[metric.name, labels(point)] = (point.count, point.sum, exemplars)

    def total(self):
        """Spans received so far."""
        with self.lock:
            return sum(self.spans.values())

    def close(self):
        """Stops serving."""
        self.server.stop(1).wait()


def labels(point):
    """A data point's attributes, as a key."""
    return frozenset((item.key, item.value.string_value) for item in point.attributes)


def add(table, key, number):
    """Adds to one count of a table."""
    table[key] = table.get(key, 0) + number


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans."""

    def __init__(self, sink):
        self.sink = sink

    def Export(self, request, context):
        with self.sink.lock:
            for group in request.resource_spans:
                attributes = {item.key: item.value.string_value for item in group.resource.attributes}
                for scope in group.scope_spans:
                    for span in scope.spans:
                        self.sink.take(attributes.get("service.name", ""), span)
        return trace_service_pb2.ExportTraceServiceResponse()


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Takes metrics."""

    def __init__(self, sink):
        self.sink = sink

    def Export(self, request, context):
        with self.sink.lock:
            for group in request.resource_metrics:
                for scope in group.scope_metrics:
                    self.sink.metrics += len(scope.metrics)
                    for metric in scope.metrics:
                        self.sink.measure(metric)
        return metrics_service_pb2.ExportMetricsServiceResponse()


class Logs(logs_service_pb2_grpc.LogsServiceServicer):
    """Takes log records."""

    def __init__(self, sink):
        self.sink = sink

    def Export(self, request, context):
        with self.sink.lock:
            for group in request.resource_logs:
                self.sink.logs += sum(len(scope.log_records) for scope in group.scope_logs)
        return logs_service_pb2.ExportLogsServiceResponse()
