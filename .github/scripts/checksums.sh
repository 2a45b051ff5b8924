#!/usr/bin/env bash
# Writes SHA256SUMS of everything in a folder.
set -euo pipefail
cd "$1"
rm -f SHA256SUMS
sums=$(sha256sum -- *)
echo "$sums" | tee SHA256SUMS
