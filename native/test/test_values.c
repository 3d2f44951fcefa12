/* Text, dates, decimals: the pure parts. */
#include <string.h>

#include "../src/qe_decimal.h"
#include "../src/qe_temporal.h"
#include "../src/qe_text.h"
#include "check.h"

static int64_t fault_of(const char *text) {
  return qe__utf8_fault((const uint8_t *)text, (int64_t)strlen(text));
}

static void test_utf8_is_told_from_what_only_looks_like_it(void) {
  CHECK_INT(fault_of(""), -1);
  CHECK_INT(fault_of("plain text that is longer than thirty-two bytes"), -1);
  CHECK_INT(fault_of("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), -1);
  CHECK_INT(fault_of("\xF4\x8F\xBF\xBF"), -1);
  CHECK_INT(fault_of("ab\xFF"), 2);
  CHECK_INT(fault_of("\x80"), 0);
  CHECK_INT(fault_of("a\xC3"), 1);            /* cut */
  CHECK_INT(fault_of("\xC0\xAF"), 0);         /* overlong, two bytes */
  CHECK_INT(fault_of("\xE0\x80\xAF"), 0);     /* overlong, three */
  CHECK_INT(fault_of("\xF0\x80\x80\xAF"), 0); /* overlong, four */
  CHECK_INT(fault_of("\xED\xA0\x80"), 0);     /* surrogate */
  CHECK_INT(fault_of("\xF4\x90\x80\x80"), 0); /* past U+10FFFF */
  CHECK_INT(fault_of("thirty-two plain bytes come here\xFF"), 32);
}

static int64_t date_of(const char *text) {
  int32_t days = 0;
  return qe__parse_date(text, (int64_t)strlen(text), &days) ? days : INT64_MIN;
}

static void test_dates_are_read_strictly(void) {
  CHECK_INT(date_of("1970-01-01"), 0);
  CHECK_INT(date_of("1969-12-31"), -1);
  CHECK_INT(date_of("2000-02-29"), 11016);
  CHECK_INT(date_of("0001-01-01"), -719162);
  CHECK_INT(date_of("9999-12-31"), 2932896);
  CHECK_INT(date_of("1900-02-29"), INT64_MIN);
  CHECK_INT(date_of("2023-04-31"), INT64_MIN);
  CHECK_INT(date_of("0000-01-01"), INT64_MIN);
  CHECK_INT(date_of("2023-13-01"), INT64_MIN);
  CHECK_INT(date_of("2023-00-01"), INT64_MIN);
  CHECK_INT(date_of("2023-1-01"), INT64_MIN);
  CHECK_INT(date_of("2023-01-01 "), INT64_MIN);
  CHECK_INT(date_of("2023/01/01"), INT64_MIN);
}

static void test_every_day_of_the_calendar_goes_there_and_back(void) {
  int32_t year, month, day;

  for (int32_t days = -719162; days <= 2932896; days++) {
    qe__civil_from_days(days, &year, &month, &day);
    if (qe__days_from_civil(year, month, day) != days) CHECK_INT(days, INT64_MIN);
  }
}

static int64_t time_of(const char *text) {
  int64_t microseconds = 0;
  bool is_read = qe__parse_time(text, (int64_t)strlen(text), &microseconds);
  return is_read ? microseconds : -1;
}

static void test_times_are_read_strictly(void) {
  CHECK_INT(time_of("00:00"), 0);
  CHECK_INT(time_of("23:59:59.999999"), 86399999999);
  CHECK_INT(time_of("12:34:56"), 45296000000);
  CHECK_INT(time_of("12:34:56.5"), 45296500000);
  CHECK_INT(time_of("12:34:56.123456000"), 45296123456);
  CHECK_INT(time_of("12:34:56.1234567"), -1); /* a digit would be lost */
  CHECK_INT(time_of("12:34:56."), -1);
  CHECK_INT(time_of("24:00"), -1);
  CHECK_INT(time_of("12:60"), -1);
  CHECK_INT(time_of("12:34:60"), -1);
  CHECK_INT(time_of("1:34"), -1);
  CHECK_INT(time_of("12:34x"), -1);
}

static int64_t timestamp_of(const char *text, bool is_zoned) {
  int64_t microseconds = 0;
  bool is_read =
      qe__parse_timestamp(text, (int64_t)strlen(text), is_zoned, &microseconds);
  return is_read ? microseconds : INT64_MIN;
}

static void test_timestamps_are_read_strictly(void) {
  CHECK_INT(timestamp_of("1970-01-01 00:00:00", false), 0);
  CHECK_INT(timestamp_of("1970-01-02", false), 86400000000);
  CHECK_INT(timestamp_of("1969-12-31T23:59:59.999999", false), -1);
  CHECK_INT(timestamp_of("9999-12-31 23:59:59.999999", false), QE_TIMESTAMP_MAX);
  CHECK_INT(timestamp_of("0001-01-01 00:00", false), QE_TIMESTAMP_MIN);
  CHECK_INT(timestamp_of("1970-01-01 00:00:00Z", false), INT64_MIN);
  CHECK_INT(timestamp_of("1970-01-01_00:00:00", false), INT64_MIN);
  CHECK_INT(timestamp_of("1970-01-01 02:00+02:00", true), 0);
  CHECK_INT(timestamp_of("1970-01-01 02:00:00+0200", true), 0);
  CHECK_INT(timestamp_of("1969-12-31 19:00:00.25-05", true), 250000);
  CHECK_INT(timestamp_of("1970-01-01 00:00:00Z", true), 0);
  CHECK_INT(timestamp_of("1970-01-01 00:00:00", true), INT64_MIN);
  CHECK_INT(timestamp_of("1970-01-01Z", true), INT64_MIN);
  CHECK_INT(timestamp_of("1970-01-01 00:00:00+2", true), INT64_MIN);
  CHECK_INT(timestamp_of("1970-01-01 00:00:00+24:00", true), INT64_MIN);
  CHECK_INT(timestamp_of("9999-12-31 23:59:59-01:00", true), INT64_MIN);
}

static bool decimal_is(const char *text, int32_t precision, int32_t scale,
                       uint64_t high, uint64_t low) {
  qe_decimal128 value;
  return qe__decimal_from_text(text, (int64_t)strlen(text), precision, scale, &value) &&
         value.high == high && value.low == low;
}

static bool decimal_fits(const char *text, int32_t precision, int32_t scale) {
  qe_decimal128 value;
  return qe__decimal_from_text(text, (int64_t)strlen(text), precision, scale, &value);
}

static void test_decimals_are_exact_or_refused(void) {
  CHECK(decimal_is("0", 5, 2, 0, 0));
  CHECK(decimal_is("-0.00", 5, 2, 0, 0));
  CHECK(decimal_is("1", 5, 2, 0, 100));
  CHECK(decimal_is("12.5", 5, 2, 0, 1250));
  CHECK(decimal_is("+12.50", 5, 2, 0, 1250));
  CHECK(decimal_is("12.500000", 5, 2, 0, 1250));
  CHECK(decimal_is("-1", 5, 2, UINT64_MAX, (uint64_t)-100));
  CHECK(decimal_is("1.25e2", 5, 2, 0, 12500));
  CHECK(decimal_is("12500E-2", 5, 2, 0, 12500));
  CHECK(decimal_is("18446744073709551616", 38, 0, 1, 0));
  /* 10^38 - 1 */
  CHECK(decimal_is("99999999999999999999999999999999999999", 38, 0,
                   UINT64_C(0x4B3B4CA85A86C47A), UINT64_C(0x098A223FFFFFFFFF)));
  CHECK(!decimal_fits("12.555", 5, 2));
  CHECK(!decimal_fits("1000", 5, 2));
  CHECK(!decimal_fits("100000000000000000000000000000000000000", 38, 0));
  CHECK(!decimal_fits("", 5, 2));
  CHECK(!decimal_fits(".", 5, 2));
  CHECK(!decimal_fits("1e", 5, 2));
  CHECK(!decimal_fits("1x", 5, 2));
  CHECK(!decimal_fits("nan", 5, 2));
  CHECK(!decimal_fits("1e99999", 38, 2));
}

static void test_a_float_becomes_the_shortest_text_that_means_it(void) {
  char text[QE_FLOAT_TEXT_SIZE];

  (void)qe__float_to_text(0.1, text);
  CHECK_TEXT(text, "0.1");
  (void)qe__float_to_text(-2.5, text);
  CHECK_TEXT(text, "-2.5");
  (void)qe__float_to_text(0.1 + 0.2, text);
  CHECK_TEXT(text, "0.30000000000000004");
  (void)qe__float_to_text(1e300, text);
  CHECK_TEXT(text, "1e+300");
}

int main(void) {
  test_utf8_is_told_from_what_only_looks_like_it();
  test_dates_are_read_strictly();
  test_every_day_of_the_calendar_goes_there_and_back();
  test_times_are_read_strictly();
  test_timestamps_are_read_strictly();
  test_decimals_are_exact_or_refused();
  test_a_float_becomes_the_shortest_text_that_means_it();
  return check_result();
}
