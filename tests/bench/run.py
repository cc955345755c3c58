#!/usr/bin/env python3
"""Compares what receiving, sampling and forwarding cost: this agent, other servers, and the least that any server must do.

    run.py --agent target/release/homeostat [--rounds 3] [--only WORD] [--page docs/benchmarks.md] [--json FILE]

Every server runs alone on core 0, the client and the sink on core 1; servers take turns within each round, so that a
machine that becomes slower is slower for all. Prints medians. What is not on this machine is SKIPPED, loudly. Exit code 1
if the agent lost what it accepted, or kept another share than it was told to.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import plot
import servers

WARM_UP_S = 4.0
# Longer than the five seconds after which senders try again.
SETTLED_AFTER_S = 7.0
SETTLED_WITHIN_S = 60.0
IDLE_S = 15.0
PACED = 100_000
FIGURES_BEGIN, FIGURES_END = "<!-- figures -->", "<!-- end of figures -->"

# Errors are one trace in fifty; a tenth of the others is kept.
KEPT_SHARE = 0.02 + 0.98 * 0.10
# Wide enough for a thousand traces, narrow enough to see a rule that does not hold.
SHARE_TOLERANCE = 0.012


@dataclass(frozen=True)
class Load:
    """What is sent."""

    name: str
    workload: str = "whole"
    protocol: str = "grpc"
    batch: int = 512
    rate: int = 0
    services: int = 8
    connections: int = 2
    inflight: int = 4
    cores: int = 1


SATURATED = Load("saturated")
SMALL = Load("batches of 100", batch=100, connections=4, inflight=8)
HTTP = Load("HTTP", protocol="http")
CALM = Load("100 k/s", rate=PACED)
SPLIT = Load("split traces", workload="split", services=4)
SPLIT_CALM = Load("split traces, 100 k/s", workload="split", services=4, rate=PACED)
LOGS = Load("logs", workload="logs")
METRICS = Load("metrics", workload="metrics")
BOTH = Load("2 cores shared", cores=2)

# What is measured: role, loads, servers.
CATALOGUE = [
    ("receive", [SATURATED, CALM, SMALL, HTTP], ["floor-raw", "floor-scan", "homeostat", "rotel", "collector"]),
    ("receive", [SPLIT, BOTH], ["floor-scan", "homeostat", "rotel"]),
    ("sample", [SATURATED, SPLIT, SPLIT_CALM, SMALL, BOTH], ["homeostat", "collector"]),
    ("share", [SATURATED], ["collector"]),
    ("forward", [SATURATED, LOGS, METRICS], ["homeostat", "rotel", "collector"]),
]

QUICK = [
    ("receive", [SATURATED, CALM], ["floor-scan", "homeostat"]),
    ("sample", [SATURATED, SPLIT_CALM], ["homeostat"]),
    ("forward", [LOGS, METRICS], ["homeostat"]),
]


def cases(catalogue, only):
    """Every (role, load, server), servers innermost so that they take turns."""
    for role, loads, names in catalogue:
        for load in loads:
            for server in names:
                if only in f"{server} {role} {load.name}":
                    yield role, load, server


def send(tools, load, server, seconds, seed):
    """Runs the client against a server: its report."""
    cores = {1} if load.cores == 1 else {0, 1}
    command = [
        tools.path("load"), "send",
        "--to", server.grpc if load.protocol == "grpc" else server.http,
        "--protocol", load.protocol,
        "--workload", load.workload,
        "--batch", load.batch,
        "--services", load.services,
        "--connections", load.connections,
        "--inflight", load.inflight,
        "--rate", load.rate,
        "--warmup", WARM_UP_S,
        "--seconds", seconds,
        "--threads", len(cores),
        "--pid", server.pid,
        "--seed", seed,
    ]  # fmt: skip
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=seconds + WARM_UP_S + 120,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise RuntimeError(f"the client failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def settle(sink, role, load, sent):
    """Waits until everything or nothing more arrives: what the sink has counted."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    last, since = servers.stats(sink), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < SETTLED_AFTER_S:
        time.sleep(0.25)
        now = servers.stats(sink)
        if now["requests"] != last["requests"]:
            last, since = now, time.monotonic()
        if role == "forward" and sent["items"] <= now[item_of(load)]:
            break
    return servers.stats(sink)


def item_of(load):
    """What the sink calls the items of a load."""
    return {"logs": "log_records", "metrics": "data_points"}.get(load.workload, "spans")


def measure(tools, role, load, name, seconds, seed):
    """One case in a folder of its own: the client's report, and what arrived."""
    with tempfile.TemporaryDirectory(prefix="homeostat-bench-") as folder:
        server_cores = {0} if load.cores == 1 else {0, 1}
        sink = server = None
        try:
            if role != "receive":
                sink = servers.start_sink(tools, "count", {1}, folder, "sink.log")
            server = servers.start(tools, name, role, server_cores, folder, sink and sink.grpc)
            report = send(tools, load, server, seconds, seed)
            if sink:
                report["arrived"] = settle(sink, role, load, report["total"])
            report["ended_early"] = server.process.poll() is not None
            return report
        finally:
            for process in (server, sink):
                if process:
                    process.stop()


def idle(tools, name):
    """CPU and memory of a server that nobody talks to."""
    with tempfile.TemporaryDirectory(prefix="homeostat-bench-") as folder:
        server = servers.start(tools, name, "receive", {0}, folder, None)
        try:
            time.sleep(3)
            before = servers.cpu_seconds(server.pid)
            time.sleep(IDLE_S)
            used = servers.cpu_seconds(server.pid) - before
            return {"cores": used / IDLE_S, "rss_mib": servers.rss_mib(server.pid)}
        finally:
            server.stop()


def verdict(role, load, report):
    """What is wrong with what arrived; empty if nothing is."""
    wrong = []
    if report["ended_early"]:
        wrong.append("the server ended")
    if report["failed"]:
        wrong.append(f"failed requests {report['failed']}")
    if role == "receive":
        return wrong
    sent, arrived = report["total"], report["arrived"]
    items = item_of(load)
    share = arrived[items] / sent["items"]
    report["arrived_share"] = share
    if arrived["malformed"]:
        wrong.append(f"{arrived['malformed']} requests that cannot be read")
    if role == "forward" and arrived[items] != sent["items"]:
        wrong.append(f"{sent['items']} {items} accepted, {arrived[items]} arrived")
    if role == "sample":
        whole = arrived["traces_by_spans"].get("8", 0) / max(arrived["traces"], 1)
        report["errors_arrived"] = arrived["error_spans"] / max(sent["error_spans"], 1)
        report["whole_traces"] = whole
        # A batch that is no multiple of eight ends with a short trace.
        if load.batch % 8 == 0 and whole < 1:
            wrong.append(f"{1 - whole:.2%} of the traces that arrived are torn")
        if report["errors_arrived"] < 1:
            wrong.append(f"{1 - report['errors_arrived']:.2%} of the error spans are missing")
        if SHARE_TOLERANCE < abs(share - KEPT_SHARE):
            wrong.append(f"kept {share:.2%} instead of {KEPT_SHARE:.2%}")
    return wrong


def median(reports, *path):
    """The median of a figure over all rounds; `None` where no round has it."""
    values = []
    for report in reports:
        value = report
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            values.append(value)
    return statistics.median(values) if values else None


def row(role, load, name, reports):
    """The medians of one case."""
    figures = {
        "cpu_s_per_million": median(reports, "server", "cpu_s_per_million"),
        "items_per_s": median(reports, "items_per_s"),
        "ack_p50_ms": median(reports, "ack_ms", "p50"),
        "ack_p99_ms": median(reports, "ack_ms", "p99"),
        "rss_peak_mib": median(reports, "server", "rss_peak_mib"),
        "server_cores": median(reports, "server", "cores"),
        "client_cores": median(reports, "client_cores"),
        "others_cores": median(reports, "others_cores"),
        "bytes_per_item": median(reports, "bytes_per_item"),
        "arrived_share": median(reports, "arrived_share"),
        "errors_arrived": median(reports, "errors_arrived"),
        "whole_traces": median(reports, "whole_traces"),
    }
    return {"server": name, "role": role, "load": asdict(load), **figures, "rounds": reports}


def table(rows):
    """Markdown."""
    lines = [
        "| role | load | server | CPU s per million | items/s | ack p50 / p99 ms | RSS peak MiB | server cores | arrived |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in rows:
        arrived = "" if found["arrived_share"] is None else f"{found['arrived_share']:.2%}"
        lines.append(
            f"| {found['role']} | {found['load']['name']} | {found['server']} | **{found['cpu_s_per_million']:.3f}** "
            f"| {found['items_per_s']:,.0f} | {found['ack_p50_ms']:.2f} / {found['ack_p99_ms']:.2f} "
            f"| {found['rss_peak_mib']:.0f} | {found['server_cores']:.2f} | {arrived} |"
        )
    return "\n".join(lines)


def written(result):
    """The figures as a page has them."""
    where = result["machine"]
    others = statistics.median(row["others_cores"] for row in result["rows"])
    lines = [f"{where['processor']}, {where['cores']} cores, Linux {where['kernel']}."]
    lines += [f"Other programs used {others:.2f} cores meanwhile.", ""]
    lines += ["![CPU seconds per million](benchmarks.svg)", "", table(result["rows"]), ""]
    if result["idle"]:
        lines += ["| server | idle: share of a core | idle: RSS MiB |", "|---|---|---|"]
        lines += [f"| {name} | {at['cores']:.3%} | {at['rss_mib']:.0f} |" for name, at in result["idle"].items()]
    lines += [""] + [f"- Wrong: {problem}." for problem in result["problems"]]
    lines += [f"- Not measured: {name}, which {why}." for name, why in result["skipped"].items()]
    return "\n".join(lines).rstrip()


def write_page(page, result):
    """Replaces the figures of a page, and the drawing beside it."""
    before, rest = page.read_text().split(FIGURES_BEGIN)
    after = rest.split(FIGURES_END)[1]
    page.write_text(f"{before}{FIGURES_BEGIN}\n\n{written(result)}\n\n{FIGURES_END}{after}")
    page.with_suffix(".svg").write_text(plot.draw(result))


def machine():
    """Where this was measured."""
    model = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {"processor": model[0] if model else platform.processor(), "cores": os.cpu_count(), "kernel": platform.release()}


def play(tools, arguments, catalogue):
    """All rounds: reports by case, problems, and what was skipped."""
    found, problems, skipped = {}, [], {}
    for number in range(arguments.rounds):
        for role, load, name in cases(catalogue, arguments.only):
            if name in skipped:
                continue
            try:
                report = measure(tools, role, load, name, arguments.seconds, number + 1)
            except servers.Missing as missing:
                skipped[name] = f"needs {missing}"
                print(f"SKIPPED {name}: needs {missing}", flush=True)
                continue
            wrong = verdict(role, load, report)
            problems += [f"{name} {role} {load.name}: {text}" for text in wrong]
            found.setdefault((role, load, name), []).append(report)
            said = f"{report['server']['cpu_s_per_million']:.3f} CPU s/M, {report['items_per_s']:,.0f}/s, "
            said += f"p99 {report['ack_ms']['p99']:.2f} ms, others {report['others_cores']:.2f} cores"
            print(f"round {number + 1}: {role}, {load.name}, {name}: {said} {'; '.join(wrong)}", flush=True)
    return found, problems, skipped


def main():
    """Measures and reports."""
    cache = Path.home() / ".cache" / "homeostat-bench"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True, help="the homeostat binary, a release build")
    parser.add_argument("--load", type=Path, default=Path("target/release/examples/otlp-load"))
    parser.add_argument("--rotel", type=Path, default=cache / "rotel-agent")
    parser.add_argument("--collector", type=Path, default=cache / "otelcol" / "otelcol-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="measured seconds of each case")
    parser.add_argument("--only", default="", help="cases whose server, role or load has this word")
    parser.add_argument("--quick", action="store_true", help="the agent alone, few cases")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    parser.add_argument("--page", type=Path, help="the page whose figures to replace, with a drawing beside it")
    arguments = parser.parse_args()
    if os.cpu_count() < 2:
        print("SKIPPED: one core for the server and one for the client are needed")
        return 0
    tools = servers.Tools(arguments.load, arguments.agent, arguments.rotel, arguments.collector)
    found, problems, skipped = play(tools, arguments, QUICK if arguments.quick else CATALOGUE)
    names = [name for name in servers.ROLES if name not in skipped and any(case[2] == name for case in found)]
    at_rest = {name: idle(tools, name) for name in names} if not arguments.only else {}
    rows = [row(role, load, name, reports) for (role, load, name), reports in found.items()]
    result = {"machine": machine(), "rows": rows, "idle": at_rest, "problems": problems, "skipped": skipped}
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=1))
    if arguments.page:
        write_page(arguments.page, result)
    print("\n" + table(rows))
    for name, figures in at_rest.items():
        print(f"idle {name}: {figures['cores']:.3%} of a core, {figures['rss_mib']:.0f} MiB")
    for problem in problems:
        print(f"WRONG {problem}")
    print(f"{len(rows)} cases, {len(problems)} problems, {len(skipped)} servers skipped")
    return 1 if any(problem.startswith("homeostat") for problem in problems) else 0


if __name__ == "__main__":
    sys.exit(main())
