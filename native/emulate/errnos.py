"""Numbers of errors: this machine's to Darwin's."""

from __future__ import annotations

import errno

__all__ = ["darwin_errno"]

_EPERM = 1
# Where they differ; up to 34 all others are the same everywhere.
_DARWIN = {
    errno.EAGAIN: 35, errno.EDEADLK: 11, errno.ENAMETOOLONG: 63, errno.ENOSYS: 78,
    errno.ENOTEMPTY: 66, errno.ELOOP: 62, errno.ENOTSOCK: 38, errno.EDESTADDRREQ: 39,
    errno.EMSGSIZE: 40, errno.EPROTOTYPE: 41, errno.ENOPROTOOPT: 42,
    errno.EPROTONOSUPPORT: 43, errno.EOPNOTSUPP: 45, errno.EAFNOSUPPORT: 47,
    errno.EADDRINUSE: 48, errno.EADDRNOTAVAIL: 49, errno.ENETDOWN: 50,
    errno.ENETUNREACH: 51, errno.ECONNABORTED: 53, errno.ECONNRESET: 54,
    errno.ENOBUFS: 55, errno.EISCONN: 56, errno.ENOTCONN: 57, errno.ETIMEDOUT: 60,
    errno.ECONNREFUSED: 61, errno.EHOSTUNREACH: 65, errno.EALREADY: 37,
    errno.EINPROGRESS: 36,
}  # fmt: skip


def darwin_errno(error: OSError) -> int:
    """Return what Darwin calls a failure."""
    code = error.errno or _EPERM
    return _DARWIN.get(code, code)
