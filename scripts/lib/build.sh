# SPDX-License-Identifier: Apache-2.0
# Building outside the sources, in folders below build/; sourced by demo, test.

JOBS=$(nproc 2>/dev/null || echo 2)

# Makes configure when it is missing or older than what it is made from.
make_configure() {
  [ configure -nt configure.ac ] && [ Makefile.in -nt Makefile.am ] &&
    [ configure -nt Makefile.in ] || autoreconf -fi
}

# Sources that were configured in place cannot be built elsewhere.
unconfigure() {
  [ -e config.status ] || return 0
  echo "configured in place before: make distclean"
  make -s distclean
}

# configure_in DIR OPTION...: once; later calls leave DIR as it is
configure_in() {
  local dir=$1 top=$PWD
  shift
  [ -e "$dir/config.status" ] && return 0
  mkdir -p "$dir" && (cd "$dir" && "$top/configure" -q "$@")
}
