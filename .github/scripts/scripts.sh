#!/usr/bin/env bash
# Lints the workflows and the scripts they call. Needs shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
npm --prefix installers ci --ignore-scripts --no-audit --no-fund
npm --prefix installers run workflows
shellcheck .ci/run .github/scripts/*.sh installers/build.sh installers/*/*.sh
for script in installers/*.mjs; do node --check "$script"; done
