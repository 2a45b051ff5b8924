#!/usr/bin/env bash
# Writes lists of parts in CycloneDX's form into a folder: of the window, of the command line, and of the interface.
#
#   sbom.sh FOLDER
set -euo pipefail
folder=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if ! cargo cyclonedx --version 2>/dev/null; then
  cargo install --locked cargo-cyclonedx
fi
# It writes one beside each package's Cargo.toml.
name=list-of-parts
trap 'find . -name "$name.json" -not -path "*/node_modules/*" -delete' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target all --override-filename "$name"
mv "$name.json" "$folder/rosterbridge-desktop.cdx.json"
mv "crates/cli/$name.json" "$folder/rosterbridge-cli.cdx.json"
npm --prefix ui sbom --package-lock-only --sbom-format cyclonedx >"$folder/rosterbridge-ui.cdx.json"
