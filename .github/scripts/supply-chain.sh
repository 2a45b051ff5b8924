#!/usr/bin/env bash
# What the packages we take from others have to hold: licences, sources, and that they are what their authors published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo install --locked cargo-deny
cargo deny --locked check bans licenses sources
npm --prefix ui ci --no-audit --no-fund
npm --prefix ui audit signatures
npm --prefix installers ci --ignore-scripts --no-audit --no-fund
npm --prefix installers audit signatures
