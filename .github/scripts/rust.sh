#!/usr/bin/env bash
# Installs the Rust that Cargo.toml names, with the further targets given, and makes it the one in use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
if ! command -v rustup >/dev/null; then
  curl --proto '=https' --tlsv1.2 --fail --silent --show-error https://sh.rustup.rs |
    sh -s -- -y --no-modify-path --profile minimal --default-toolchain none
  echo "$HOME/.cargo/bin" >>"$GITHUB_PATH"
  export PATH="$HOME/.cargo/bin:$PATH"
fi
rustup toolchain install "$version" --no-self-update --profile minimal --component clippy --component rustfmt
rustup default "$version"
for target in "$@"; do rustup target add "$target"; done
rustc --version
