#!/usr/bin/env bash
# Installs what building and checking the packages needs on Debian, beside Rust and Node.js.
set -euo pipefail
wanted=(
  # To build: as xtask/src/packages.rs. Tauri looks for the library of the icon beside the clock.
  build-essential pkg-config perl libwebkit2gtk-4.1-dev librsvg2-dev libayatana-appindicator3-dev file
  # To check: installers/linux/check.sh.
  binutils dbus debootstrap imagemagick rpm xvfb
)
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends "${wanted[@]}"
