/* The binary form is
 *
 *   int16 count    of groups
 *   int16 weight   the first group counts 10000 to this power
 *   uint16 sign    0, 0x4000 negative, 0xC000 NaN, 0xD000 and 0xF000 the infinities
 *   uint16 scale   digits to show after the point
 *   uint16 each    a group: four decimal digits, 0 to 9999
 *
 * with the groups of zeros at both ends left out, so that few bytes may stand for many
 * digits: at most 131072 before the point, since weight has 15 bits, and 16383 after.
 */
#include "qe_postgres_numeric.h"

#include <assert.h>
#include <string.h>

#include "qe_error.h"
#include "qe_postgres_wire.h"

enum { HEADER_SIZE = 8, GROUP_DIGITS = 4, GROUP_MAX = 9999, SCALE_MAX = 16383 };
enum {
  SIGN_POSITIVE = 0,
  SIGN_NEGATIVE = 0x4000,
  SIGN_NAN = 0xC000,
  SIGN_INFINITY = 0xD000,
  SIGN_MINUS_INFINITY = 0xF000
};

typedef struct numeric {
  const uint8_t *groups;
  int32_t count, weight, sign, scale;
} numeric;

static qe_status read_header(const uint8_t *data, int64_t size, numeric *out,
                             qe_error *error) {
  if (size < HEADER_SIZE) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A value of type numeric has %lld bytes instead of 8 or more",
                    (long long)size);
  }
  *out = (numeric){data + HEADER_SIZE, qe__pg_read_int16(data),
                   qe__pg_read_int16(data + 2), qe__pg_read16(data + 4),
                   qe__pg_read16(data + 6)};
  if (out->count < 0 || size != HEADER_SIZE + (int64_t)out->count * 2) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A value of type numeric has %lld bytes for %d groups of digits",
                    (long long)size, (int)out->count);
  }
  if (out->scale > SCALE_MAX) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A value of type numeric has %d digits after its point",
                    (int)out->scale);
  }
  for (int32_t i = 0; i < out->count; i++) {
    int32_t group = qe__pg_read16(out->groups + (ptrdiff_t)i * 2);
    if (group > GROUP_MAX) {
      return qe__fail(error, QE_ERR_TYPE,
                      "A value of type numeric has the group of digits %d", (int)group);
    }
  }
  return QE_OK;
}

/* The group that counts 10000 to the power of place. */
static uint32_t group_at(const numeric *number, int32_t place) {
  int32_t index = number->weight - place;

  if (index < 0 || index >= number->count) return 0;
  return qe__pg_read16(number->groups + (ptrdiff_t)index * 2);
}

static uint8_t *write_group(uint8_t *out, uint32_t group) {
  uint32_t high = group / 100;
  uint32_t low = group % 100;

  out[0] = (uint8_t)('0' + high / 10);
  out[1] = (uint8_t)('0' + high % 10);
  out[2] = (uint8_t)('0' + low / 10);
  out[3] = (uint8_t)('0' + low % 10);
  return out + GROUP_DIGITS;
}

/* The same without zeros in front; "0" for 0. */
static uint8_t *write_first_group(uint8_t *out, uint32_t group) {
  uint8_t digits[GROUP_DIGITS];
  int32_t skipped = group > 999 ? 0 : group > 99 ? 1 : group > 9 ? 2 : 3;

  (void)write_group(digits, group);
  memcpy(out, digits + skipped, (size_t)(GROUP_DIGITS - skipped));
  return out + GROUP_DIGITS - skipped;
}

static uint8_t *write_fraction(uint8_t *out, const numeric *number) {
  int32_t place = -1;
  int32_t left = number->scale;

  *out++ = '.';
  for (; left >= GROUP_DIGITS; left -= GROUP_DIGITS) {
    out = write_group(out, group_at(number, place--));
  }
  if (left > 0) {
    uint8_t digits[GROUP_DIGITS];
    (void)write_group(digits, group_at(number, place));
    memcpy(out, digits, (size_t)left);
    out += left;
  }
  return out;
}

static const char *word_for(int32_t sign) {
  switch (sign) {
    case SIGN_NAN: return "NaN";
    case SIGN_INFINITY: return "Infinity";
    case SIGN_MINUS_INFINITY: return "-Infinity";
    default: return NULL;
  }
}

qe_status qe__pg_numeric_text(const uint8_t *data, int64_t size, qe_bytes *out,
                              qe_error *error) {
  numeric number;
  qe_status status = read_header(data, size, &number, error);
  const char *word;
  int64_t room;
  uint8_t *at;

  if (status != QE_OK) return status;
  word = word_for(number.sign);
  if (!word && number.sign != SIGN_POSITIVE && number.sign != SIGN_NEGATIVE) {
    return qe__fail(error, QE_ERR_TYPE, "A value of type numeric has the sign 0x%04X",
                    (unsigned)number.sign);
  }
  room = ((number.weight > 0 ? number.weight : 0) + 1) * GROUP_DIGITS + number.scale +
         (int64_t)sizeof "-Infinity.";
  if (!qe__bytes_reserve(out, room)) return qe__fail_memory(error, "decimal number");
  at = out->data + out->size;
  if (word) {
    memcpy(at, word, strlen(word));
    out->size += (int64_t)strlen(word);
    return QE_OK;
  }
  if (number.sign == SIGN_NEGATIVE) *at++ = '-';
  at = write_first_group(at, group_at(&number, number.weight > 0 ? number.weight : 0));
  for (int32_t place = number.weight - 1; place >= 0; place--) {
    at = write_group(at, group_at(&number, place));
  }
  if (number.scale > 0) at = write_fraction(at, &number);
  assert(at - (out->data + out->size) <= room);
  out->size = at - out->data;
  return QE_OK;
}
