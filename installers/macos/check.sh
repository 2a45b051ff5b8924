#!/usr/bin/env bash
# Installs the app from the disk image, looks at its signature, and runs it.
#
#   installers/macos/check.sh FOLDER-OF-THE-PACKAGES
#
# On a Mac that may be changed: it is meant for one of GitHub's. APPLE_TEAM_ID says that a notarised signature has to be there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
packages=$1
version=$(.github/scripts/version.sh)
app=/Applications/RosterBridge.app
programs=$app/Contents/MacOS

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

image=$(echo "$packages"/*.dmg)
volume=$(mktemp -d)
hdiutil attach "$image" -nobrowse -readonly -mountpoint "$volume"
trap 'hdiutil detach "$volume" -force' EXIT
rm -rf "$app"
ditto "$volume/RosterBridge.app" "$app"

for name in rosterbridge rosterbridge-desktop; do
  for processor in arm64 x86_64; do
    lipo "$programs/$name" -verify_arch "$processor" || fail "$name is not for $processor"
  done
done
codesign --verify --deep --strict --verbose=2 "$app"
if [ -n "${APPLE_TEAM_ID:-}" ]; then
  for name in rosterbridge rosterbridge-desktop; do
    codesign --display --verbose=2 "$programs/$name" 2>&1 | grep -q "TeamIdentifier=$APPLE_TEAM_ID" || fail "$name is not of the team"
    codesign --display --verbose=2 "$programs/$name" 2>&1 | grep -q 'flags=.*runtime' || fail "$name has no hardened runtime"
  done
  spctl --assess --type execute --verbose=2 "$app" || fail "Gatekeeper does not let it start"
  xcrun stapler validate "$app"
fi

property() { /usr/libexec/PlistBuddy -c "Print :$1" "$app/Contents/Info.plist"; }
[ "$(property CFBundleShortVersionString)" = "$version" ] || fail "the app is not of version $version"
[ "$(property CFBundleIdentifier)" = app.rosterbridge.desktop ] || fail "the app has another identifier"
[ "$(property LSApplicationCategoryType)" = public.app-category.business ] || fail "the app has another category"

mkdir -p target/installer
node installers/smoke.mjs --rosterbridge "$programs/rosterbridge" --desktop "$programs/rosterbridge-desktop" \
  --version "$version" --picture "screencapture -x target/installer/installed.png || true"
rm -rf "$app"
