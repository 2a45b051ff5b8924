#!/usr/bin/env bash
# Signs the packages in a folder for the app's updater and writes latest.json beside them, if there is a key to sign with.
#
#   updater.sh FOLDER
#
# TAURI_SIGNING_PRIVATE_KEY and TAURI_SIGNING_PRIVATE_KEY_PASSWORD: what `tauri signer generate` made.
# GITHUB_SERVER_URL and GITHUB_REPOSITORY say where the release will be.
set -euo pipefail
packages=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ -z "${TAURI_SIGNING_PRIVATE_KEY:-}" ]; then
  echo "There is no key: no signatures for the updater, and no latest.json."
  exit 0
fi
version=$(.github/scripts/version.sh)
npm --prefix installers ci --ignore-scripts --no-audit --no-fund
for file in "$packages"/*-setup.exe "$packages"/*.app.tar.gz "$packages"/*.deb "$packages"/*.rpm; do
  # The signature holds the version, so that an old package can't be passed off as a new one.
  installers/node_modules/.bin/tauri signer sign --app-version "$version" "$file" >/dev/null
done
notes=$(mktemp)
.github/scripts/notes.sh "$version" >"$notes"
node installers/manifest.mjs "$packages" "$version" \
  "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/releases/download/v$version" "$notes"
rm "$notes"
