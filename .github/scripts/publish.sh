#!/usr/bin/env bash
# Makes a draft of the release TAG with everything in a folder; a person looks at it and publishes it.
set -euo pipefail
packages=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
notes=$(mktemp)
.github/scripts/notes.sh "${TAG#v}" >"$notes"
gh release create "$TAG" "$packages"/* --repo "$GITHUB_REPOSITORY" --draft --verify-tag --title "RosterBridge ${TAG#v}" --notes-file "$notes"
rm "$notes"
