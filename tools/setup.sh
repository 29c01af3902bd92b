# SPDX-License-Identifier: Apache-2.0
# Sourced by ./run and ./test: installs what is missing on a Debian 12, and builds. Says what it does.

build_packages="gcc libc6-dev meson ninja-build pkg-config python3 libssl-dev libsqlite3-dev libjansson-dev libyaml-dev
  libseccomp-dev libcurl4-openssl-dev node-llhttp openssl ca-certificates"
test_packages="clang clang-format git libclang-rt-14-dev libcmocka-dev mosquitto mosquitto-clients curl python3-pytest python3-jsonschema
  python3-yaml python3-cryptography chromium sqlite3 procps gnutls-bin"

# What ./run and ./test start: optimised as one piece, which saves the server a sixth of its CPU time.
product_options="-Dtests=disabled -Db_lto=true"

say() { printf '%s\n' "$*"; }
step() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else die "this needs root for: $*  (run as root, or install sudo)"
  fi
}

# need_packages NAME...: installs those that are missing.
need_packages() {
  missing=""
  for package in "$@"; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" in
      *"install ok installed") ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -z "$missing" ] && return 0
  step "installing from Debian:$missing"
  log=$(mktemp)
  as_root apt-get update -q >"$log" 2>&1 || { cat "$log"; die "apt-get update failed"; }
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 ||
    { tail -n 30 "$log"; die "apt-get install failed"; }
  rm -f "$log"
}

# Node.js is only needed while building: npm fetches the console's pinned packages. Any npm will do; Debian's when there is
# none.
console_packages() { command -v npm >/dev/null 2>&1 || echo nodejs npm; }

need_console() {
  if [ ! -e console/node_modules/.package-lock.json ] ||
     [ console/package-lock.json -nt console/node_modules/.package-lock.json ]; then
    step "fetching the console's packages (npm ci, pinned in console/package-lock.json)"
    npm ci --prefix console --no-audit --no-fund --loglevel=error || die "npm ci failed"
    touch console/node_modules/.package-lock.json
  fi
}

# A client from elsewhere for the end to end tests; they skip what needs it where it cannot be had.
need_mqtt_js() {
  folder=tests/conformance/mqtt_js
  if [ ! -e $folder/node_modules/.package-lock.json ] || [ $folder/package-lock.json -nt $folder/node_modules/.package-lock.json ]; then
    step "fetching mqtt.js for the tests (npm ci, pinned in $folder/package-lock.json)"
    npm ci --prefix $folder --no-audit --no-fund --loglevel=error && touch $folder/node_modules/.package-lock.json
  fi
}

# build FOLDER [meson options...]: all there is, or the $targets.
build() {
  folder=$1
  shift
  [ -e "$folder/build.ninja" ] || meson setup "$folder" "$@" >"$folder.log" 2>&1 ||
    { cat "$folder.log"; die "meson setup failed"; }
  rm -f "$folder.log"
  # Reconfiguring leaves meson's own options (b_lto) as they were in an older folder; new files it finds.
  [ $# = 0 ] || meson configure "$folder" "$@" || die "meson configure failed"
  meson setup --reconfigure "$folder" "$@" >/dev/null 2>&1 || { meson setup --reconfigure "$folder" "$@"; die "meson failed"; }
  # shellcheck disable=SC2086
  ninja -C "$folder" ${targets:-all} >"$folder/build.log" 2>&1 || { grep -vE '^\[' "$folder/build.log" | tail -n 40; die "the build failed"; }
}

# As root the server and the keeper each become a user of their own.
need_users() {
  [ "$(id -u)" = 0 ] || return 0
  for user in holdfast holdfast-keeper; do
    getent passwd "$user" >/dev/null && continue
    step "making the system user $user"
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user" ||
      die "useradd $user failed"
  done
}
