/* Calendar arithmetic and a strict reader of ISO 8601. The arithmetic counts years
 * from March, so that the leap day is the last of its year and months need no table
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
#include "qe_temporal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int32_t qe__days_from_civil(int32_t year, int32_t month, int32_t day) {
  int32_t shifted = month <= 2 ? year - 1 : year;
  int32_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  int32_t year_of_era = shifted - era * 400;
  int32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  int32_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void qe__civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day) {
  int32_t shifted = days + 719468;
  int32_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  int32_t day_of_era = shifted - era * 146097;
  int32_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int32_t march_month = (5 * day_of_year + 2) / 153;

  *day = day_of_year - (153 * march_month + 2) / 5 + 1;
  *month = march_month < 10 ? march_month + 3 : march_month - 9;
  *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

/* The digits at text as a number. What is no digit sets *fault and is not branched on:
 * a date is read ten million times for each one that is malformed. */
static inline int32_t read_number(const char *text, int32_t count, uint32_t *fault) {
  uint32_t value = 0;

  for (int32_t i = 0; i < count; i++) {
    uint32_t next = (uint32_t)(uint8_t)text[i] - '0';
    *fault |= (uint32_t)(next > 9);
    value = value * 10 + next;
  }
  return (int32_t)(value & 0x7FFFFFFF);
}

static int32_t days_in_month(int32_t year, int32_t month) {
  if (month == 2) {
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return is_leap ? 29 : 28;
  }
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool qe__parse_date(const char *text, int64_t size, int32_t *days) {
  uint32_t fault = 0;
  int32_t year, month, day;

  if (size != 10 || text[4] != '-' || text[7] != '-') return false;
  year = read_number(text, 4, &fault);
  month = read_number(text + 5, 2, &fault);
  day = read_number(text + 8, 2, &fault);
  if (fault || year < 1 || month < 1 || month > 12 || day < 1) return false;
  if (day > 28 && day > days_in_month(year, month)) return false;
  *days = qe__days_from_civil(year, month, day);
  return true;
}

/* The digits after the point, as microseconds; false if any would be lost. */
static bool parse_fraction(const char *text, int64_t size, int32_t *microseconds) {
  uint32_t fault = 0;
  int32_t count = size < 6 ? (int32_t)size : 6;

  if (size < 1) return false;
  *microseconds =
      size == 6 ? read_number(text, 6, &fault) : read_number(text, count, &fault);
  for (; count < 6; count++) *microseconds *= 10;
  for (int64_t i = 6; i < size; i++) fault |= (uint32_t)(text[i] != '0');
  return fault == 0;
}

bool qe__parse_time(const char *text, int64_t size, int64_t *microseconds) {
  uint32_t fault = 0;
  int32_t hour, minute;
  int32_t second = 0;
  int32_t fraction = 0;

  if (size < 5 || text[2] != ':') return false;
  hour = read_number(text, 2, &fault);
  minute = read_number(text + 3, 2, &fault);
  if (size > 5) {
    if (size < 8 || text[5] != ':') return false;
    second = read_number(text + 6, 2, &fault);
  }
  if (size > 8) {
    if (text[8] != '.' || !parse_fraction(text + 9, size - 9, &fraction)) return false;
  }
  if (fault || hour > 23 || minute > 59 || second > 59) return false;
  *microseconds = (int64_t)(hour * 3600 + minute * 60 + second) * 1000000 + fraction;
  return true;
}

/* Takes the zone off the end of text: its size without it, or -1 if there is none. */
static int64_t split_zone(const char *text, int64_t size, int64_t *offset_minutes) {
  int64_t at;
  uint32_t fault = 0;
  int32_t hours, minutes = 0;

  *offset_minutes = 0;
  if (text[size - 1] == 'Z') return size - 1;
  /* Past the date and "HH:MM", where "-" can only begin a zone. */
  for (at = size - 1; at >= 16; at--) {
    if (text[at] == '+' || text[at] == '-') break;
  }
  if (at < 16 || size - at < 3) return -1;
  hours = read_number(text + at + 1, 2, &fault);
  if (size - at == 6 && text[at + 3] == ':') {
    minutes = read_number(text + at + 4, 2, &fault);
  } else if (size - at == 5) {
    minutes = read_number(text + at + 3, 2, &fault);
  } else if (size - at != 3) {
    return -1;
  }
  if (fault || hours > 23 || minutes > 59) return -1;
  *offset_minutes = (int64_t)hours * 60 + minutes;
  if (text[at] == '-') *offset_minutes = -*offset_minutes;
  return at;
}

bool qe__parse_timestamp(const char *text, int64_t size, bool is_zoned,
                         int64_t *microseconds) {
  int32_t days;
  int64_t clock = 0;
  int64_t offset_minutes = 0;

  if (size < 10 || !qe__parse_date(text, 10, &days)) return false;
  if (is_zoned) {
    size = split_zone(text, size, &offset_minutes);
    if (size < 16) return false;
  }
  if (size > 10) {
    if (text[10] != 'T' && text[10] != ' ') return false;
    if (!qe__parse_time(text + 11, size - 11, &clock)) return false;
  }
  clock += days * QE_MICROSECONDS_PER_DAY - offset_minutes * INT64_C(60000000);
  if (clock < QE_TIMESTAMP_MIN || clock > QE_TIMESTAMP_MAX) return false;
  *microseconds = clock;
  return true;
}

static int64_t write_word(const char *word, char *out) {
  size_t size = strlen(word);

  memcpy(out, word, size + 1);
  return (int64_t)size;
}

/* The year of a day as people count it: there is no year 0. */
static int64_t write_day(int32_t days, bool *is_before_christ, char *out) {
  int32_t year, month, day;

  qe__civil_from_days(days, &year, &month, &day);
  *is_before_christ = year < 1;
  if (year < 1) year = 1 - year;
  return snprintf(out, QE_TEMPORAL_TEXT_SIZE, "%04d-%02d-%02d", (int)year, (int)month,
                  (int)day);
}

int64_t qe__format_date(int32_t days, char out[QE_TEMPORAL_TEXT_SIZE]) {
  bool is_before_christ;
  int64_t size;

  if (days == INT32_MAX) return write_word("infinity", out);
  if (days == INT32_MIN) return write_word("-infinity", out);
  size = write_day(days, &is_before_christ, out);
  return is_before_christ ? size + write_word(" BC", out + size) : size;
}

int64_t qe__format_time(int64_t microseconds, char out[QE_TEMPORAL_TEXT_SIZE]) {
  int64_t seconds = microseconds / 1000000;
  int64_t fraction = microseconds % 1000000;
  int64_t size;

  assert(microseconds >= 0 && microseconds <= QE_MICROSECONDS_PER_DAY);
  size = snprintf(out, 16, "%02d:%02d:%02d", (int)(seconds / 3600),
                  (int)(seconds / 60 % 60), (int)(seconds % 60));
  if (fraction == 0) return size;
  size += snprintf(out + size, 16, ".%06d", (int)fraction);
  while (out[size - 1] == '0') out[--size] = '\0';
  return size;
}

int64_t qe__format_timestamp(int64_t microseconds, bool is_zoned,
                             char out[QE_TEMPORAL_TEXT_SIZE]) {
  int64_t days = microseconds / QE_MICROSECONDS_PER_DAY;
  int64_t clock = microseconds % QE_MICROSECONDS_PER_DAY;
  bool is_before_christ;
  int64_t size;

  if (microseconds == INT64_MAX) return write_word("infinity", out);
  if (microseconds == INT64_MIN) return write_word("-infinity", out);
  if (clock < 0) {
    clock += QE_MICROSECONDS_PER_DAY;
    days--;
  }
  size = write_day((int32_t)days, &is_before_christ, out);
  out[size++] = ' ';
  size += qe__format_time(clock, out + size);
  if (is_zoned) size += write_word("+00", out + size);
  if (is_before_christ) size += write_word(" BC", out + size);
  return size;
}
