# Compiles CPython for musl; run by musl.py within a Debian tree, which has make and a
# Python of the same release, and sees below /mnt: zig, its cache, and a folder `work`
# with the sources in `python` and `zlib`.
#
#   sh musl_build.sh CPU JOBS
set -eu
cpu=$1 jobs=$2
work=/mnt/work
mkdir -p "$work/bin" "$work/build"

# zig carries no musl loader: -dynamic has the program ask for the one of its system.
# Some of CPython's files tell the date, which zig takes for an error.
for tool in cc ar ranlib; do
  words=$tool
  [ $tool != cc ] ||
    words="cc -target $cpu-linux-musl -dynamic -g0 -Wno-error=date-time"
  printf '#!/bin/sh\nexec /mnt/zig/zig %s "$@"\n' "$words" >"$work/bin/$tool"
  chmod +x "$work/bin/$tool"
done
# Debian's link to it is made by a script that has not run.
ln -sf /usr/bin/mawk "$work/bin/awk"
export PATH=$work/bin:/usr/bin:/bin
export ZIG_GLOBAL_CACHE_DIR=/mnt/cache ZIG_LOCAL_CACHE_DIR=/mnt/cache

cd "$work/zlib"
for file in *.c; do
  case $file in gz*) ;; *) cc -w -O2 -fPIC -DHAVE_UNISTD_H -c "$file" ;; esac
done
ar rcs libz.a ./*.o

cd "$work/build"
mkdir -p Modules
# zlib goes into the program itself. What needs libraries that are not here, or is large
# and used by nobody in a trial, is left out.
cat >Modules/Setup.local <<END
zlib zlibmodule.c -I$work/zlib $work/zlib/libz.a
*disabled*
_codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _multibytecodec
_bz2 _crypt _ctypes _curses _curses_panel _dbm _gdbm _hashlib _lzma _sqlite3 _ssl _uuid
_tkinter audioop nis ossaudiodev readline spwd
_xxsubinterpreters _xxtestfuzz xxlimited xxlimited_35
END
# A build triple that says musl, or extension modules get the suffix of gnu; and one that
# differs from the host triple, or configure runs what it compiles. The answers it cannot
# find out: musl before 1.2.4 has no preadv2, and zig's headers have.
ac_cv_buggy_getaddrinfo=no ac_cv_func_preadv2=no ac_cv_func_pwritev2=no \
  ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no \
  ../python/configure -q --build=x86_64-pc-linux-musl --host="$cpu-unknown-linux-musl" \
  --with-build-python=/usr/bin/python3 --prefix=/usr --without-ensurepip \
  --disable-test-modules CC=cc AR=ar RANLIB=ranlib READELF=true CFLAGS=-O1 \
  OPT="-DNDEBUG -w"
make -s "-j$jobs" build_all
make -s install DESTDIR="$work/made"
