#!/usr/bin/env bash
# Builds the packages of the system this runs on into target/installer/packages:
# deb and rpm on Linux, the setup program on Windows, the disk image (and its app, packed for the updater) on macOS.
#
#   installers/build.sh [--config FILE]... [--bundle-only]
#
# --config is handed on to Tauri, for what is known in a release only: a certificate, say.
# --bundle-only packs the release binaries that are there already.
#
# Signed is what there is a key for: on macOS APPLE_CERTIFICATE and what belongs to it, see docs/releasing.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

configs=(--config installers/bundle.conf.json)
compile=true
while [ $# -gt 0 ]; do
  case "$1" in
    --config) configs+=(--config "$2"); shift 2 ;;
    --bundle-only) compile=false; shift ;;
    *) echo "'$1' is not understood." >&2; exit 2 ;;
  esac
done

# Names of what is made for each system. The first of `targets` is bundled; a Mac's two are joined before.
suffix=
case "$(uname -s)" in
  Linux)
    targets=("$(uname -m)-unknown-linux-gnu"); bundled=${targets[0]}; kinds=deb,rpm ;;
  Darwin)
    targets=(aarch64-apple-darwin x86_64-apple-darwin); bundled=universal-apple-darwin; kinds=app,dmg
    MACOSX_DEPLOYMENT_TARGET=$(sed -n 's/.*"minimumSystemVersion": "\(.*\)".*/\1/p' tauri.conf.json)
    export MACOSX_DEPLOYMENT_TARGET ;;
  MINGW* | MSYS*)
    targets=(x86_64-pc-windows-msvc); bundled=${targets[0]}; kinds=nsis; suffix=.exe
    # Windows does not bring Visual C++'s libraries: they are linked in.
    export CARGO_TARGET_X86_64_PC_WINDOWS_MSVC_RUSTFLAGS="-C target-feature=+crt-static"
    # OpenSSL's configuration does not know the perl that Git brings.
    if [ -x /c/Strawberry/perl/bin/perl.exe ]; then export PATH="/c/Strawberry/perl/bin:$PATH"; fi ;;
  *) echo "There are no packages for $(uname -s)." >&2; exit 1 ;;
esac

# A secret that is not there is an empty variable in a workflow; Tauri would take it for one that is.
for name in APPLE_CERTIFICATE APPLE_CERTIFICATE_PASSWORD APPLE_SIGNING_IDENTITY APPLE_ID APPLE_PASSWORD APPLE_TEAM_ID; do
  if [ -z "${!name:-}" ]; then unset "$name"; fi
done
if [ -z "${APPLE_CERTIFICATE:-}" ]; then
  # Signed by nobody: a Mac with Apple silicon starts no program without any signature.
  export APPLE_SIGNING_IDENTITY="${APPLE_SIGNING_IDENTITY:--}"
fi

folder=${CARGO_TARGET_DIR:-target}
if $compile; then
  npm --prefix ui ci --no-audit --no-fund
  npm --prefix ui run build
  export CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=symbols
  for target in "${targets[@]}"; do
    cargo build --release --locked --workspace --exclude xtask --bins --target "$target"
  done
fi
if [ "$bundled" = universal-apple-darwin ]; then
  mkdir -p "$folder/$bundled/release"
  for name in rosterbridge rosterbridge-desktop; do
    lipo -create -output "$folder/$bundled/release/$name" \
      "$folder/aarch64-apple-darwin/release/$name" "$folder/x86_64-apple-darwin/release/$name"
  done
fi

# The command line travels beside the app, under the name Tauri expects of a program for this target.
staged=target/installer
packages=$staged/packages
rm -rf "$staged"
mkdir -p "$packages"
cp "$folder/$bundled/release/rosterbridge$suffix" "$staged/rosterbridge-$bundled$suffix"

if [ ! -d installers/node_modules/@tauri-apps/cli ]; then
  npm --prefix installers ci --ignore-scripts --no-audit --no-fund
fi
made=$folder/$bundled/release/bundle
rm -rf "$made"
installers/node_modules/.bin/tauri bundle --ci --target "$bundled" --bundles "$kinds" "${configs[@]}"

case "$bundled" in
  *linux*) cp "$made"/deb/*.deb "$made"/rpm/*.rpm "$packages" ;;
  *windows*) cp "$made"/nsis/*.exe "$packages" ;;
  *darwin)
    cp "$made"/dmg/*.dmg "$packages"
    # What the updater puts in the app's place.
    COPYFILE_DISABLE=1 tar -czf "$packages/RosterBridge_universal.app.tar.gz" -C "$made/macos" RosterBridge.app ;;
esac
ls -l "$packages"
