"""What remote samplers are told.

Guarantees that the gRPC answer is the HTTP answer, that both are complete (SDKs refuse or fail to parse anything less), and
that a service nobody knows gets an answer too.
"""

import struct

import grpc

from world import expect, expect_true, http

METHOD = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy"


def grpc_and_http_answer_alike(world):
    """A known manifest, two services that never sent anything."""
    agent = world.agent({"tracing": {"sampling": {"strategy": "adaptive"}}})
    with grpc.insecure_channel(agent.doors["sampling_grpc"]) as channel:
        ask = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        for service in ("checkout", "nobody's-ünknown service"):
            name = service.encode()
            over_grpc = fields(ask(bytes([0x0A, len(name)]) + name, timeout=10))
            over_http = agent.sampling(service.replace(" ", "%20").replace("ü", "%C3%BC"))
            complete(over_http)
            # Field 1 is the strategy's type, where zero (probabilistic) is left out on the wire; field 2 the probability.
            expect(over_grpc.get(1, 0), 0, "the strategy's type over gRPC")
            rate = fields(over_grpc[2]).get(1, 0.0)
            expect(rate, over_http["probabilisticSampling"]["samplingRate"], "the probability over gRPC and HTTP")
            expect_true(4 in over_grpc, "the answer over gRPC has per-operation strategies")
    status, _, body = http("GET", agent.url("sampling_http", "/sampling"))
    expect(status, 400, "a question without a service")
    expect_true(b"service" in body, f"the refusal names what is missing: {body!r}")


def complete(answer):
    """Every field must be written, zeros included; an enum goes by its name."""
    expect(answer["strategyType"], "PROBABILISTIC", "strategyType")
    rate = answer["probabilisticSampling"]["samplingRate"]
    expect_true(0 <= rate <= 1, f"a probability, found {rate}")
    operations = answer["operationSampling"]
    for key in (
        "defaultSamplingProbability",
        "defaultLowerBoundTracesPerSecond",
        "defaultUpperBoundTracesPerSecond",
        "perOperationStrategies",
    ):
        expect_true(key in operations, f"operationSampling.{key} is written")


def fields(message):
    """The fields of a protobuf message: number to value; the last one wins."""
    found, at = {}, 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            found[number], at = varint(message, at)
        elif kind == 1:
            found[number], at = struct.unpack_from("<d", message, at)[0], at + 8
        elif kind == 2:
            length, at = varint(message, at)
            found[number], at = message[at : at + length], at + length
        else:
            raise ValueError(f"wire type {kind}")
    return found


def varint(message, at):
    """One variable-length number and where it ends."""
    value, shift = 0, 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
