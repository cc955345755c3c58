"""A shop of two services, instrumented with the OpenTelemetry SDK, whose every span is known in advance.

`checkout` (SERVER) calls `cart` (CLIENT, then SERVER). Which requests fail or are slow follows from their number, and spans
carry times in the past, so nothing sleeps and what was sent is exact. The SDK's exporters are the real ones.
"""

import random
import time

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode

FAST_NS = 20_000_000
SLOW_NS = 900_000_000  # Above the default objective's 500 ms.


class SeededIds(IdGenerator):
    """Ids from one seed, so that a run can be repeated with the same sampling decisions."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def generate_trace_id(self):
        return self.random.getrandbits(128) or 1

    def generate_span_id(self):
        return self.random.getrandbits(64) or 1


class Counted:
    """An exporter that remembers its own verdicts; the SDK hides failures in its log."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.failed = 0

    def export(self, spans):
        result = self.exporter.export(spans)
        self.failed += result.name != "SUCCESS"
        return result

    def shutdown(self):
        self.exporter.shutdown()

    def force_flush(self, timeout_millis=30_000):
        return True


class Shop:
    """The two services and what they have sent."""

    SERVICES = ("checkout", "cart")

    def __init__(self, exporter, seed=1, suffix=""):
        ids = SeededIds(seed)
        self.names = {role: role + suffix for role in self.SERVICES}
        self.exporters = {role: Counted(exporter()) for role in self.SERVICES}
        self.providers = {}
        for role in self.SERVICES:
            provider = TracerProvider(resource=Resource.create({"service.name": self.names[role]}), id_generator=ids)
            # Deep enough that nothing is dropped before it is sent.
            provider.add_span_processor(
                BatchSpanProcessor(self.exporters[role], max_queue_size=1 << 20, max_export_batch_size=2000)
            )
            self.providers[role] = provider
        self.tracers = {role: provider.get_tracer("live") for role, provider in self.providers.items()}
        self.red = {
            self.names[role]: {"requests": 0, "errors": 0, "slow": 0, "spans_received": 0} for role in self.SERVICES
        }
        self.traces = 0

    def sell(self, traces, pause_every=None):
        """Sends this many traces of three spans: every 50th fails in the cart, every 40th is slow."""
        checkout, cart = self.tracers["checkout"], self.tracers["cart"]
        for number in range(traces):
            fails, slow = number % 50 == 7, number % 40 == 11
            took = SLOW_NS if slow else FAST_NS
            begin = time.time_ns() - 2 * took
            root = checkout.start_span("POST /checkout", kind=SpanKind.SERVER, start_time=begin)
            inside = trace.set_span_in_context(root)
            call = checkout.start_span("GET cart", context=inside, kind=SpanKind.CLIENT, start_time=begin + 1_000_000)
            served = cart.start_span(
                "GET /cart", context=trace.set_span_in_context(call), kind=SpanKind.SERVER, start_time=begin + 2_000_000
            )
            for span in (served, call, root):
                if fails:
                    span.set_status(Status(StatusCode.ERROR, "no stock"))
            served.end(begin + 2_000_000 + FAST_NS // 2)
            call.end(begin + 3_000_000 + FAST_NS // 2)
            root.end(begin + took)
            self.count(fails, slow)
            if pause_every and number % pause_every == 0:
                time.sleep(0.001)
        self.traces += traces

    def count(self, fails, slow):
        """What one trace adds to the truth. Only the checkout is slow; the cart answers at once."""
        checkout, cart = (self.red[self.names[role]] for role in self.SERVICES)
        for counts in (checkout, cart):
            counts["requests"] += 1
            counts["errors"] += fails
        checkout["slow"] += slow
        checkout["spans_received"] += 2
        cart["spans_received"] += 1

    def edges(self):
        """What the agent must know of who calls whom."""
        errors = self.red[self.names["cart"]]["errors"]
        return {(self.names["checkout"], self.names["cart"]): (self.traces, errors)}

    def close(self):
        """Sends what is left; returns how many exports failed."""
        for provider in self.providers.values():
            provider.force_flush(60_000)
            provider.shutdown()
        return sum(exporter.failed for exporter in self.exporters.values())
