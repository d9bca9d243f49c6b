#!/usr/bin/env bash
# Compiles SQLite's own shell for each platform whose wheel can be run here: build/shells/<what Zig calls it>/sqlite3.
# The sources are Debian's.  Of 64-bit ARM with musl the loader is fetched too: Debian has it as a package.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(x86_64-linux-gnu.2.17 x86_64-linux-musl aarch64-linux-gnu.2.17 aarch64-linux-musl
  arm-linux-gnueabihf.2.17 riscv64-linux-gnu.2.31 x86_64-windows-gnu)
zig=$PWD/build/zig/bin/python-zig
export ZIG_GLOBAL_CACHE_DIR=$PWD/build/zig-cache ZIG_LOCAL_CACHE_DIR=$PWD/build/zig-cache
mkdir -p build/shells/lists/partial
cd build/shells

# --- from Debian, by lists of our own, so that the machine's stay as they are ------------------------------------

own_apt() {
  apt-get -qq -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$PWD/lists" \
    -o APT::Architectures=amd64,arm64 -o APT::Sandbox::User= "$@"
}

if [ ! -e sqlite/sqlite3.c ] || [ ! -d aarch64-linux-musl/lib ]; then
  where='$(REPO_URI) $(RELEASE) $(COMPONENT)'
  apt-get indextargets --format "deb-src $where" 'Created-By: Packages' 'Origin: Debian' | sort -u >sources.list
  sed -n 's/^deb-src/deb [arch=arm64]/p' sources.list >>sources.list
  own_apt update
  own_apt source --download-only sqlite3
  own_apt download musl:arm64
  dpkg-deb -x musl_*_arm64.deb aarch64-linux-musl
  rm -rf source && dpkg-source -x --skip-debianization sqlite3_*.dsc source >/dev/null 2>&1
  mkdir -p sqlite
  (cd sqlite && { ../source/configure --disable-shared && make sqlite3.c shell.c; } >../sqlite.log 2>&1)
fi

# --- compiled -----------------------------------------------------------------------------------------------------

for target in "${targets[@]}"; do
  case $target in
    *windows*) shell=$target/sqlite3.exe options=-municode ;;
    *musl*) shell=$target/sqlite3 options='-dynamic -lm' ;; # else it would be static, and load nothing
    *) shell=$target/sqlite3 options=-lm ;;
  esac
  [ -e "$shell" ] && continue
  mkdir -p "$target"
  # shellcheck disable=SC2086
  "$zig" cc -target "$target" -O1 -s -w -Isqlite sqlite/shell.c sqlite/sqlite3.c $options -o "$shell"
  echo "build/shells/$shell"
done
