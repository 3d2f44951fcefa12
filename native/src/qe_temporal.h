/* Dates and times: ISO 8601 text, as SQLite stores it, to and from numbers. */
#ifndef QE_TEMPORAL_H
#define QE_TEMPORAL_H

#include "qe.h"

#define QE_MICROSECONDS_PER_DAY INT64_C(86400000000)
/* 0001-01-01 00:00:00 and 9999-12-31 23:59:59.999999, what Python can hold. */
#define QE_TIMESTAMP_MIN INT64_C(-62135596800000000)
#define QE_TIMESTAMP_MAX INT64_C(253402300799999999)

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
int32_t qe__days_from_civil(int32_t year, int32_t month, int32_t day);
void qe__civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day);

/* Each reads the whole text and answers false when it is not exactly of its form,
 * names a day or time that does not exist, lies outside the years 1 to 9999, or has
 * digits past the microsecond that are not zero. Nothing is rounded. */

/* "YYYY-MM-DD" to days from 1970-01-01. */
bool qe__parse_date(const char *text, int64_t size, int32_t *days);

/* "HH:MM[:SS[.F]]" to microseconds from midnight. */
bool qe__parse_time(const char *text, int64_t size, int64_t *microseconds);

/* "YYYY-MM-DD[(T| )HH:MM[:SS[.F]]]" to microseconds from 1970-01-01 00:00:00, by the
 * clock that is written; with is_zoned the text must end in "Z", "+HH:MM", "+HHMM" or
 * "+HH" (or "-"), and the result is in UTC; without, it must not. */
bool qe__parse_timestamp(const char *text, int64_t size, bool is_zoned,
                         int64_t *microseconds);

enum { QE_TEMPORAL_TEXT_SIZE = 48 };

/* Each writes the value as PostgreSQL does (its DateStyle ISO), terminated, and returns
 * the size of the text: "2024-02-29", "24:00:00", "0044-03-15 10:20:30.5 BC". Digits
 * after the second only where there are some. */

/* INT32_MAX and INT32_MIN are "infinity" and "-infinity". */
int64_t qe__format_date(int32_t days, char out[QE_TEMPORAL_TEXT_SIZE]);
/* From 0 to QE_MICROSECONDS_PER_DAY. */
int64_t qe__format_time(int64_t microseconds, char out[QE_TEMPORAL_TEXT_SIZE]);
/* In UTC, with "+00", where is_zoned; INT64_MAX and INT64_MIN are the infinities. */
int64_t qe__format_timestamp(int64_t microseconds, bool is_zoned,
                             char out[QE_TEMPORAL_TEXT_SIZE]);

#endif
