# Compiles OpenSSL for musl, as its libraries alone; run by musl.py within a Debian tree,
# which has make and perl, and sees below /mnt: zig, its cache, and a folder `work` with
# the source in `openssl`.
#
#   sh openssl_build.sh CPU JOBS
set -eu
cpu=$1 jobs=$2
work=/mnt/work
mkdir -p "$work/bin" "$work/made/usr/lib"

for tool in cc ar ranlib; do
  words=$tool
  [ $tool != cc ] ||
    words="cc -target $cpu-linux-musl -dynamic -g0 -Wno-error=date-time"
  printf '#!/bin/sh\nexec /mnt/zig/zig %s "$@"\n' "$words" >"$work/bin/$tool"
  chmod +x "$work/bin/$tool"
done
export PATH=$work/bin:/usr/bin:/bin
export ZIG_GLOBAL_CACHE_DIR=/mnt/cache ZIG_LOCAL_CACHE_DIR=/mnt/cache
export PERL_HASH_SEED=0 SOURCE_DATE_EPOCH=0

cd "$work/openssl"
# Left out is what takes time to compile and is used by nobody in a trial, and nothing
# that PostgreSQL's library asks for. no-asm has one answer for every CPU.
perl Configure linux-generic64 --prefix=/usr --openssldir=/etc/ssl shared no-asm \
  no-apps no-docs no-makedepend no-module no-tests no-legacy \
  no-aria no-camellia no-cast no-cmp no-cms no-ct no-dtls no-gost no-http no-idea \
  no-ml-dsa no-ml-kem no-ocsp no-quic no-rc2 no-rfc3779 no-seed no-siv no-slh-dsa no-sm2 \
  no-sm3 no-sm4 no-srp no-ts no-whirlpool \
  CC=cc AR=ar RANLIB=ranlib CFLAGS='-O1 -w'
make -s "-j$jobs" build_generated
# By name: build_libs compiles all of it once more, for the static libraries.
make -s "-j$jobs" libcrypto.so.3 libssl.so.3
cp libcrypto.so.3 libssl.so.3 "$work/made/usr/lib"
