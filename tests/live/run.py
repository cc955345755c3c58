"""Plays the live cases: real SDKs and collectors against a running agent.

    run.py --agent target/release/homeostat [--node-modules DIR] [--promtool FILE] [--only WORD]

Runs with the Python of a virtual environment that has `requirements.txt`. Prints one line per case and, last, a plain line
`N passed, N failed, N skipped`. Exit code 1 if a case failed. What a case needs and does not find is SKIPPED, loudly.
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from world import Skip, World, Wrong

CASE_WITHIN_S = 300

# The catalogue: module and case, in the order in which they run.
CASES = [
    ("bad_input", "wrong_manifests_are_explained"),
    ("bad_input", "a_port_in_use_is_named"),
    ("bad_input", "wrong_requests_get_clear_answers"),
    ("remote_sampling", "grpc_and_http_answer_alike"),
    ("python_sdk", "traces_are_counted_exactly"),
    ("python_sdk", "metrics_and_logs_pass_through"),
    ("span_metrics", "counts_leave_whatever_is_kept"),
    ("metrics", "promtool_accepts_the_metrics"),
    ("rotel", "all_spans_arrive_through_rotel"),
    ("recovery", "a_hold_survives_a_power_cut"),
    ("js_sdk", "the_js_sampler_follows_the_loop"),
    ("adjusted_counts", "kept_traces_estimate_the_sent_ones"),
]


def play(module, case, arguments):
    """One case in a folder of its own: how it ended, and what to say about it."""

    def too_long(*_):
        raise Wrong(f"not done within {CASE_WITHIN_S} s")

    with tempfile.TemporaryDirectory(prefix="homeostat-live-") as folder:
        world = World(arguments, folder)
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(CASE_WITHIN_S)
        try:
            function = getattr(__import__(f"cases.{module}", fromlist=[case]), case)
            return "passed", function(world) or ""
        except Skip as missing:
            return "skipped", f"needs {missing}"
        except Wrong as wrong:
            return "failed", f"{wrong}\n{world.tail()}"
        except Exception:
            return "failed", f"{traceback.format_exc()}\n{world.tail()}"
        finally:
            signal.alarm(0)
            world.close()


def main():
    """Plays what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True, help="the homeostat binary")
    parser.add_argument("--node-modules", type=Path, help="node_modules with the packages of package.json")
    parser.add_argument("--promtool", type=Path, help="Prometheus' promtool")
    parser.add_argument("--only", default="", help="cases whose name has this word")
    arguments = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for module, case in CASES:
        if arguments.only not in f"{module}.{case}":
            continue
        begun = time.monotonic()
        ended, detail = play(module, case, arguments)
        counts[ended] += 1
        word = {"passed": "ok", "failed": "FAILED", "skipped": "SKIPPED"}[ended]
        print(f"{word:8}{module}.{case} ({time.monotonic() - begun:.1f} s) {detail}", flush=True)
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
