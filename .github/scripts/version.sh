#!/usr/bin/env bash
# Prints the version of this source. With a tag's name it also fails where the tag, the interface or the list of changes say
# another one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
if [ $# -gt 0 ]; then
  interface=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' ui/package.json | head -n 1)
  [ "$1" = "v$version" ] || { echo "The tag is $1, Cargo.toml has $version." >&2; exit 1; }
  [ "$interface" = "$version" ] || { echo "ui/package.json has $interface, Cargo.toml $version." >&2; exit 1; }
  grep -q "^## \[$version\]" CHANGELOG.md || { echo "CHANGELOG.md has no section $version." >&2; exit 1; }
fi
echo "$version"
