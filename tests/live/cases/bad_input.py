"""What is wrong, said clearly.

Guarantees that every wrong request, manifest and address gets an error that names what is wrong, that the agent keeps
serving, and that nothing panics.
"""

import gzip
import json
import socket

import grpc

from world import DOORS, expect, expect_true, http

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
OVERSIZE = 80 << 20


def wrong_requests_get_clear_answers(world):
    """Malformed, mislabelled, misaddressed and oversize requests over HTTP and gRPC."""
    agent = world.agent()
    traces = agent.url("otlp_http", "/v1/traces")
    wrong = [
        ("protobuf that is none", "POST", traces, b"\x0a\xff\xff\xff\xff\xff", PROTOBUF, 400),
        ("protobuf cut short", "POST", traces, b"\x0a\x10\x0a", PROTOBUF, 400),
        ("JSON that is none", "POST", traces, b'{"resourceSpans": [', JSON, 400),
        ("JSON of the wrong shape", "POST", traces, b'{"resourceSpans": 7}', JSON, 400),
        ("JSON nested without end", "POST", traces, b'{"a":' * 100_000, JSON, 400),
        ("gzip that is none", "POST", traces, b"not gzip", {**PROTOBUF, "content-encoding": "gzip"}, 400),
        ("an unknown encoding", "POST", traces, b"", {**PROTOBUF, "content-encoding": "br"}, 415),
        ("an unknown content type", "POST", traces, b"x", {"content-type": "text/plain"}, 415),
        ("a wrong path", "POST", agent.url("otlp_http", "/v1/spans"), b"", PROTOBUF, 404),
        ("a wrong method", "GET", traces, None, {}, 405),
        ("a gzip bomb", "POST", traces, gzip.compress(bytes(OVERSIZE)), {**PROTOBUF, "content-encoding": "gzip"}, 413),
    ]
    for what, method, url, body, headers, wanted in wrong:
        status, _, answer = http(method, url, body, headers)
        expect(status, wanted, f"status for {what} (answer {answer[:200]!r})")
        if wanted in (400, 413, 415):
            expect_true(0 < len(answer) < 4096, f"the answer to {what} says why: {answer[:200]!r}")
    with grpc.insecure_channel(agent.doors["otlp_grpc"], [("grpc.max_send_message_length", -1)]) as channel:
        export = channel.unary_unary(EXPORT, request_serializer=bytes, response_deserializer=bytes)
        expect(code(export, b"\x0a\xff\xff\xff\xff\xff"), grpc.StatusCode.INVALID_ARGUMENT, "malformed protobuf over gRPC")
        oversize = b"\x0a" + varint(OVERSIZE) + bytes(OVERSIZE)
        # The one code that tells an SDK not to try again.
        expect(code(export, oversize), grpc.StatusCode.RESOURCE_EXHAUSTED, "an oversize message over gRPC")
    still_serving(agent)


def code(export, message):
    """The status code of one call."""
    try:
        export(message, timeout=30)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def varint(value):
    """A variable-length number."""
    out = bytearray()
    while 0x7F < value:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def still_serving(agent):
    """A good request is still taken, and nothing has panicked."""
    good = json.dumps({"resourceSpans": []}).encode()
    expect(http("POST", agent.url("otlp_http", "/v1/traces"), good, JSON)[0], 200, "a good request afterwards")
    expect(http("GET", agent.url("api", "/healthz"))[0], 200, "health afterwards")
    expect_true(agent.is_alive(), "the agent still runs")
    expect_true("panicked" not in agent.text(), f"nothing panicked: {agent.text()[-800:]}")


def wrong_manifests_are_explained(world):
    """`check` and `run` on manifests that are wrong, absent, a directory, or not text."""
    wrong = world.manifest({"tracing": {"smapling": {}, "exporters": [{"type": "otlp", "endpoint": "ftp://h:1"}]}})
    for command, wanted in ((["check", wrong], 1), (["run", "--state-dir", world.folder, "--manifest", wrong], 64)):
        status, out, err = world.run(*command)
        said = out + err
        expect(status, wanted, f"exit code of {command[0]} ({said[-400:]})")
        for part in ("spec.tracing.smapling", "did you mean sampling", "spec.tracing.exporters[0].endpoint", f"{wrong}:"):
            expect_true(part in said, f"{command[0]} says {part!r}: {said[-600:]}")
    latin = world.folder / "latin.yaml"
    latin.write_bytes(b"kind: \xfc\n")
    for path, part in ((world.folder / "absent.yaml", "No such file"), (world.folder, "cannot be read"), (latin, "UTF-8")):
        status, out, err = world.run("check", path)
        expect(status, 1, f"exit code of check {path}")
        expect_true(part in out + err, f"check says {part!r}: {(out + err)[-400:]}")
    good = world.manifest({}, "good.yaml")
    expect(world.run("check", good)[0], 0, "exit code of check on a good manifest")


def a_port_in_use_is_named(world):
    """Somebody else already listens where the agent should."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for group, key in (("receivers", "otlpGrpc"), ("receivers", "remoteSamplingHttp"), ("api", "address")):
            spec = {group: {**DOORS[group], key: address}}
            manifest = world.manifest(spec, f"busy-{key}.yaml")
            status, out, err = world.run("run", "--state-dir", world.folder / key, "--manifest", manifest)
            said = out + err
            expect_true(status not in (0, 101), f"exit code with {key} in use: {status}")
            expect_true(address in said and "in use" in said, f"the error names {address}: {said[-400:]}")
            expect_true("panicked" not in said, "nothing panicked")
