#!/usr/bin/env bash
# Builds the collector of builder.yaml with the collector's own builder (ocb) and prints the path of the binary.
# Needs Go. The result is cached outside the tree, keyed by the manifest, so a second call is instant.
#
#   OTELCOL=$(collector-config/build-collector.sh)
#   collector-config/build-collector.sh --path    # only prints where it is, or would be
#
# OTEL_VITALS_CACHE: where to keep it (default: ${XDG_CACHE_HOME:-$HOME/.cache}/otel-vitals).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's/^  version: *//p' "$here/builder.yaml")
key=$(sha256sum "$here/builder.yaml" | cut -c1-12)
cache=${OTEL_VITALS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/otel-vitals}
binary=$cache/otelcol-$version-$key

case ${1:-} in
  '') ;;
  --path) echo "$binary"; exit ;;
  *) echo "build-collector.sh: unknown argument '$1' (there is only --path)" >&2; exit 2 ;;
esac

if [ ! -x "$binary" ]; then
  command -v go >/dev/null || { echo "build-collector.sh: Go is needed to build the collector (https://go.dev/dl)" >&2; exit 1; }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  {
    GOBIN=$work go install "go.opentelemetry.io/collector/cmd/builder@v$version"
    cp "$here/builder.yaml" "$work/builder.yaml"
    # The builder writes its Go sources beside the manifest; only the binary is kept.
    (cd "$work" && ./builder --config builder.yaml --skip-strict-versioning=false)
  } >&2
  mv "$work/_build/otelcol-vitals" "$binary.$$" && mv -f "$binary.$$" "$binary"
fi
echo "$binary"
