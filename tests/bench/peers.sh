#!/usr/bin/env bash
# Fetches the other servers of the comparison into ~/.cache/homeostat-bench with the ordinary clients of their registries:
# rotel's program out of its Python package, the Collector built from its modules with its own builder. What cannot be had is
# SKIPPED, loudly, and run.py then compares without it. Building the Collector takes some minutes of one core, once.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${HOME:-/root}/.cache/homeostat-bench"
mkdir -p "$cache"
rotel_version=0.0.1a15 builder_version=v0.156.0

if [ -x "$cache/rotel-agent" ]; then
    echo "rotel: $cache/rotel-agent"
elif ! command -v python3.11 >/dev/null; then
    echo "SKIPPED rotel: its package needs Python 3.11"
else
    python3.11 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install -q --no-deps "rotel==$rotel_version"
    ln -sf "$("$cache/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rotel/rotel-agent" "$cache/rotel-agent"
    echo "rotel: $cache/rotel-agent"
fi

if cmp -s "$here/collector/builder.yaml" "$cache/builder.yaml" && [ -x "$cache/otelcol/otelcol-bench" ]; then
    echo "collector: $cache/otelcol/otelcol-bench"
elif ! command -v go >/dev/null; then
    echo "SKIPPED collector: needs Go"
else
    export GOFLAGS="-p=1"
    GOBIN="$cache/gobin" go install "go.opentelemetry.io/collector/cmd/builder@$builder_version"
    (cd "$cache" && cp "$here/collector/builder.yaml" . && nice -n 10 ./gobin/builder --config builder.yaml)
    echo "collector: $cache/otelcol/otelcol-bench"
fi
