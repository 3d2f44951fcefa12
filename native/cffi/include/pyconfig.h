/* What CPython's headers ask of a machine, for every target at once: all have 64-bit
 * pointers and longs. Under the limited API nothing else is needed, which is why one
 * pinned set of headers serves every target and the building machine's own Python is
 * never asked. HAVE_SSIZE_T is left out: its limit is not in strict C11's headers. */
#ifndef QE_PYCONFIG_H
#define QE_PYCONFIG_H

#define SIZEOF_INT 4
#define SIZEOF_LONG 8
#define SIZEOF_LONG_LONG 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_UINTPTR_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 4
#define SIZEOF__BOOL 1

#define HAVE_STDDEF_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_WCHAR_H 1

#endif
