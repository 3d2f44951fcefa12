/* The few compiler and system differences, in one place. */
#ifndef QE_PORT_H
#define QE_PORT_H

#if defined(__GNUC__) || defined(__clang__)
#define QE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define QE_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define QE_NOINLINE __attribute__((noinline))
#else
#define QE_PRINTF(text, first)
#define QE_LIKELY(condition) (condition)
#define QE_NOINLINE
#endif

#endif
