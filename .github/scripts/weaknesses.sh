#!/usr/bin/env bash
# Whether any package we take from others has a known weakness or was withdrawn.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo install --locked cargo-deny
cargo deny --locked check advisories
npm --prefix ui audit
npm --prefix installers audit
