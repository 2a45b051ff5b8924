#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
awk -v heading="## [$1]" 'index($0, "## ") == 1 { within = index($0, heading) == 1; next } within' CHANGELOG.md
