/* Exact decimals without a 128-bit type, which C11 does not have. */
#include "qe_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 38 };

/* A number as its significant digits and the power of ten that follows them. */
typedef struct digits {
  char text[DIGITS_MAX];
  int32_t count;
  int32_t exponent; /* the number is text * 10^exponent */
  bool is_negative;
} digits;

/* Takes one more digit. Zeros in front count for nothing; zeros behind are kept in the
 * exponent, so that 1e60 does not need sixty places. */
static bool push_digit(digits *number, char next, int32_t *trailing_zeros) {
  if (next == '0') {
    if (number->count > 0) (*trailing_zeros)++;
    return true;
  }
  if (number->count + *trailing_zeros + 1 > DIGITS_MAX) return false;
  while (*trailing_zeros > 0) {
    number->text[number->count++] = '0';
    (*trailing_zeros)--;
  }
  number->text[number->count++] = next;
  return true;
}

static bool read_exponent(const char *text, int64_t size, int32_t *exponent) {
  bool is_negative = size > 0 && text[0] == '-';
  int32_t value = 0;
  int64_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;

  if (at == size) return false;
  for (; at < size; at++) {
    if (text[at] < '0' || text[at] > '9' || value > 9999) return false;
    value = value * 10 + (text[at] - '0');
  }
  *exponent = is_negative ? -value : value;
  return true;
}

static bool read_digits(const char *text, int64_t size, digits *out) {
  int64_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  int32_t trailing_zeros = 0;
  int32_t after_point = 0;
  int32_t exponent = 0;
  bool has_point = false;
  bool has_digit = false;

  *out = (digits){.is_negative = size > 0 && text[0] == '-'};
  for (; at < size; at++) {
    char c = text[at];
    if (c == '.' && !has_point) {
      has_point = true;
    } else if (c >= '0' && c <= '9') {
      has_digit = true;
      if (has_point) after_point++;
      if (!push_digit(out, c, &trailing_zeros)) return false;
    } else {
      break;
    }
  }
  if (!has_digit) return false;
  if (at < size) {
    if (text[at] != 'e' && text[at] != 'E') return false;
    if (!read_exponent(text + at + 1, size - at - 1, &exponent)) return false;
  }
  out->exponent = exponent - after_point + trailing_zeros;
  return true;
}

/* value * 10 + digit, by 32-bit quarters; the caller keeps it below 10^38. */
static void times_ten_plus(qe_decimal128 *value, uint64_t digit) {
  const uint64_t mask = UINT64_C(0xFFFFFFFF);
  uint64_t quarters[4] = {value->low & mask, value->low >> 32, value->high & mask,
                          value->high >> 32};

  for (int i = 0; i < 4; i++) {
    uint64_t product = quarters[i] * 10 + digit;
    quarters[i] = product & mask;
    digit = product >> 32;
  }
  value->low = quarters[0] | quarters[1] << 32;
  value->high = quarters[2] | quarters[3] << 32;
}

static void negate(qe_decimal128 *value) {
  value->low = ~value->low + 1;
  value->high = ~value->high + (value->low == 0 ? 1 : 0);
}

bool qe__decimal_from_text(const char *text, int64_t size, int32_t precision,
                           int32_t scale, qe_decimal128 *out) {
  digits number;
  int32_t zeros;

  *out = (qe_decimal128){0};
  if (!read_digits(text, size, &number)) return false;
  if (number.count == 0) return true;
  zeros = number.exponent + scale;
  if (zeros < 0 || number.count + zeros > precision) return false;
  for (int32_t i = 0; i < number.count; i++) {
    times_ten_plus(out, (uint64_t)(number.text[i] - '0'));
  }
  for (int32_t i = 0; i < zeros; i++) times_ten_plus(out, 0);
  if (number.is_negative) negate(out);
  return true;
}

int64_t qe__float_to_text(double value, char out[QE_FLOAT_TEXT_SIZE]) {
  int size = 0;

  for (int places = 15; places <= 17; places++) {
    size = snprintf(out, QE_FLOAT_TEXT_SIZE, "%.*g", places, value);
    if (strtod(out, NULL) == value) break;
  }
  /* A locale may write the point as a comma. */
  for (int i = 0; i < size; i++) {
    if (out[i] == ',') out[i] = '.';
  }
  return size;
}
