#!/usr/bin/env bash
# Installs the deb in a bare Debian with nothing but what the package asks for, starts it there, and reads the rpm.
#
#   installers/linux/check.sh [FOLDER-OF-THE-PACKAGES] [PICTURE.png]
#
# As root on Debian, with debootstrap, dbus, imagemagick, rpm, xvfb and Node.js. DEBIAN_MIRROR names another mirror.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
packages=${1:-target/installer/packages}
picture=${2:-target/installer/installed.png}
version=$(.github/scripts/version.sh)
deb=$(echo "$packages"/*_amd64.deb)
rpm=$(echo "$packages"/*.x86_64.rpm)

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# The two packages hold the same files.
expected="/usr/bin/rosterbridge
/usr/bin/rosterbridge-desktop
/usr/share/applications/RosterBridge.desktop
/usr/share/icons/hicolor/128x128/apps/rosterbridge-desktop.png
/usr/share/icons/hicolor/256x256@2/apps/rosterbridge-desktop.png
/usr/share/icons/hicolor/32x32/apps/rosterbridge-desktop.png
/usr/share/icons/hicolor/512x512/apps/rosterbridge-desktop.png
/usr/share/icons/hicolor/64x64/apps/rosterbridge-desktop.png
/usr/share/mime/packages/rosterbridge.xml"
diff <(dpkg-deb --fsys-tarfile "$deb" | tar -tv | sed -n 's|^-.* |/|p' | sort) <(echo "$expected") ||
  fail "the deb does not hold what it should"
diff <(rpm -qpl "$rpm" 2>/dev/null | sort) <(echo "$expected") || fail "the rpm does not hold what it should"
for path in usr/bin/rosterbridge usr/bin/rosterbridge-desktop; do
  dpkg-deb --fsys-tarfile "$deb" | tar -tv --numeric-owner "$path" | grep -q '^-rwxr-xr-x 0/0 ' ||
    fail "$path is not root's and executable"
done
[ "$(dpkg-deb --field "$deb" Version)" = "$version" ] || fail "the deb is not of version $version"
[ "$(rpm -qp --queryformat '%{VERSION}' "$rpm")" = "$version" ] || fail "the rpm is not of version $version"

# The rpm's requirements are written by hand or by Tauri: they have to cover what the programs are linked with.
requires=$(rpm -qpR "$rpm" 2>/dev/null)
for needed in 'libwebkit2gtk-4.1.so.0()(64bit)' 'libgtk-3.so.0()(64bit)' 'libc.so.6(GLIBC_2.34)(64bit)' ca-certificates; do
  grep -qxF "$needed" <<<"$requires" || fail "the rpm does not require $needed"
done
echo "The packages hold the right files; the rpm requires:"
echo "$requires"

scratch=$(mktemp -d)
root=$scratch/root
started=()
tidy() {
  for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done
  for id in "${started[@]}"; do wait "$id" 2>/dev/null || true; done
  # What the window started ends with it; the root is not removed while something of the machine's is mounted in it.
  sleep 1
  for folder in dev/pts dev/shm dev sys proc; do
    if mountpoint -q "$root/$folder"; then umount "$root/$folder" || umount --lazy "$root/$folder"; fi
  done
  if grep -q " $root/" /proc/mounts; then echo "Something is still mounted in $root." >&2; else rm -rf "$scratch"; fi
}
trap tidy EXIT

debootstrap --variant=minbase bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$scratch/log" ||
  { tail "$scratch/log"; fail "debootstrap"; }
# A service that a package wants to start belongs to the machine, not to the folder.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  cp -a --remove-destination "/dev/$device" "$root/dev/$device"
done
cp /etc/resolv.conf "$root/etc/resolv.conf"

inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$root" "$@"; }
cp "$deb" "$root/tmp/rosterbridge.deb"
inside apt-get install --yes --quiet --no-install-recommends /tmp/rosterbridge.deb >>"$scratch/log" ||
  { tail -n 30 "$scratch/log"; fail "the deb can't be installed"; }
for path in rosterbridge rosterbridge-desktop; do
  # Before anything else is there: what the package depends on is enough.
  if inside ldd "/usr/bin/$path" | grep 'not found'; then fail "$path lacks a library"; fi
  needs=$(objdump -T "$root/usr/bin/$path" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
  printf '%s\n' "${needs#GLIBC_}" 2.34 | sort -VC || fail "$path needs $needs, the packages say 2.34"
done
# Otherwise no server's certificate could be verified.
[ -s "$root/etc/ssl/certs/ca-certificates.crt" ] || fail "there are no certificate authorities"
echo "The deb installs with what it depends on, and no library is missing."

# A keyring, as a desktop has, on a session bus of its own.
inside apt-get install --yes --quiet --no-install-recommends gnome-keyring dbus >>"$scratch/log" ||
  { tail -n 30 "$scratch/log"; fail "gnome-keyring can't be installed"; }
mkdir -m 700 "$root/tmp/run"
export DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/run/bus HOME=/root XDG_RUNTIME_DIR=/tmp/run NO_AT_BRIDGE=1
unset XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME WAYLAND_DISPLAY
cat >"$root/tmp/run/bus.conf" <<'CONF'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=/tmp/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
CONF
chroot "$root" dbus-daemon --config-file=/tmp/run/bus.conf --nofork --nopidfile &
started+=($!)
for _ in $(seq 100); do
  if [ -S "$root/tmp/run/bus" ]; then break; fi
  sleep 0.1
done
printf practice | chroot "$root" gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null &
started+=($!)

# A screen that lets in whoever is on this machine: the folder has no way to the usual cookie.
mkfifo "$scratch/screen"
Xvfb -displayfd 7 -screen 0 1280x860x24 -nolisten tcp -ac 7>"$scratch/screen" 2>/dev/null &
started+=($!)
read -r number <"$scratch/screen"
export DISPLAY=:$number

node installers/smoke.mjs --root "$root" --rosterbridge /usr/bin/rosterbridge --desktop /usr/bin/rosterbridge-desktop \
  --version "$version" --picture "import -window root '$picture'"
echo "The window's picture is $picture."

inside apt-get remove --yes --quiet roster-bridge >>"$scratch/log"
for path in /usr/bin/rosterbridge /usr/bin/rosterbridge-desktop /usr/share/applications/RosterBridge.desktop; do
  [ ! -e "$root$path" ] || fail "$path is left after the package was removed"
done
echo "Removing the package leaves no program behind."
