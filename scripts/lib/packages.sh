# SPDX-License-Identifier: Apache-2.0
# What a Debian 12 needs to build, test and run this; sourced by demo and test.

BUILD_PACKAGES="gcc libc6-dev make autoconf automake libtool pkg-config
  apache2-dev libapr1-dev libaprutil1-dev libssl-dev libcjose-dev libjansson-dev
  libcurl4-openssl-dev liblua5.4-dev libsqlite3-dev zlib1g-dev"
# apache2-bin is httpd with its modules; the package apache2 would also start a
# server on port 80.
RUN_PACKAGES="apache2-bin libaprutil1-dbd-sqlite3 curl procps"
TEST_PACKAGES="libcmocka-dev clang clang-format binutils xz-utils git
  ca-certificates python3 python3-jwt python3-cryptography sqlite3 openssl"

NODE_VERSION=22.23.3
NPM_VERSION=10.9.9

# as_root COMMAND...: as it is for root, else through sudo
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]
}

# need_packages LOG NAME...: installs those that are missing, only those
need_packages() {
  local log=$1 name missing=()
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system, so nothing is installed; needed are:" $@ >&2
    return 0
  fi
  for name in $@; do installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  # A list that cannot be fetched need not matter to what is asked for here.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >"$log" 2>&1 ||
    true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y \
    --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" \
    >>"$log" 2>&1 || { tail -n 15 "$log" >&2; return 1; }
}

node_major() {
  node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0
}

# need_node DIR LOG: puts a Node of 20 or newer, with npm, first in PATH. Debian
# 12 has 18; its npm fetches a newer one into DIR, and nothing else changes.
need_node() {
  local dir=$1 log=$2 arch
  if [ "$(node_major)" -ge 20 ] && command -v npm >/dev/null; then return 0; fi
  case "$(uname -m)" in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) echo "no Node for $(uname -m): install Node 20 or newer" >&2; return 1 ;;
  esac
  if [ ! -e "$dir/.ready-$NODE_VERSION" ]; then
    need_packages "$log" nodejs npm ca-certificates || return 1
    echo "fetching: node $NODE_VERSION"
    mkdir -p "$dir"
    npm install --prefix "$dir" --no-save --no-audit --no-fund --ignore-scripts \
      "node-linux-$arch@$NODE_VERSION" "npm@$NPM_VERSION" >>"$log" 2>&1 ||
      { tail -n 15 "$log" >&2; return 1; }
    touch "$dir/.ready-$NODE_VERSION"
  fi
  PATH=$dir/node_modules/.bin:$PATH
  export PATH
  hash -r
  [ "$(node_major)" -ge 20 ]
}

# need_npm DIR LOG: the packages of DIR/package-lock.json, unless they are there
need_npm() {
  [ ! -e "$1/node_modules/.package-lock.json" ] || return 0
  echo "fetching: the npm packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund) >>"$2" 2>&1 ||
    { tail -n 15 "$2" >&2; return 1; }
}
