/* Reading and writing PostgreSQL's wire format, which is big-endian throughout. */
#ifndef QE_POSTGRES_WIRE_H
#define QE_POSTGRES_WIRE_H

#include "qe.h"

/* PostgreSQL counts from 2000-01-01, we from 1970-01-01. */
enum { QE_PG_EPOCH_DAYS = 10957 };
#define QE_PG_EPOCH_MICROSECONDS INT64_C(946684800000000)

/* What PostgreSQL itself can hold, counted from 1970: dates from 4714-11-24 BC to
 * 5874897-12-31, timestamps from the same day on. */
#define QE_PG_DATE_MIN (-2451545 + QE_PG_EPOCH_DAYS)
#define QE_PG_DATE_MAX (2145031948 + QE_PG_EPOCH_DAYS)
#define QE_PG_TIMESTAMP_MIN (INT64_C(-211813488000000000) + QE_PG_EPOCH_MICROSECONDS)

static inline uint16_t qe__pg_read16(const uint8_t *data) {
  return (uint16_t)((uint32_t)data[0] << 8 | data[1]);
}

static inline uint32_t qe__pg_read32(const uint8_t *data) {
  return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 |
         data[3];
}

static inline uint64_t qe__pg_read64(const uint8_t *data) {
  return (uint64_t)qe__pg_read32(data) << 32 | qe__pg_read32(data + 4);
}

static inline int16_t qe__pg_read_int16(const uint8_t *data) {
  return (int16_t)qe__pg_read16(data);
}

static inline int32_t qe__pg_read_int32(const uint8_t *data) {
  return (int32_t)qe__pg_read32(data);
}

static inline int64_t qe__pg_read_int64(const uint8_t *data) {
  return (int64_t)qe__pg_read64(data);
}

static inline double qe__pg_read_float8(const uint8_t *data) {
  union {
    uint64_t bits;
    double value;
  } number = {.bits = qe__pg_read64(data)};
  return number.value;
}

static inline double qe__pg_read_float4(const uint8_t *data) {
  union {
    uint32_t bits;
    float value;
  } number = {.bits = qe__pg_read32(data)};
  return (double)number.value;
}

/* A date as days from 1970, the infinities as INT32_MAX and INT32_MIN; false for what
 * no PostgreSQL date can be. */
static inline bool qe__pg_read_date(const uint8_t *data, int32_t *days) {
  int32_t wire = qe__pg_read_int32(data);

  if (wire == INT32_MAX || wire == INT32_MIN) {
    *days = wire;
    return true;
  }
  *days = (int32_t)((uint32_t)wire + (uint32_t)QE_PG_EPOCH_DAYS);
  return wire >= QE_PG_DATE_MIN - QE_PG_EPOCH_DAYS &&
         wire <= QE_PG_DATE_MAX - QE_PG_EPOCH_DAYS;
}

/* A timestamp as microseconds from 1970, the infinities as INT64_MAX and INT64_MIN;
 * false for what no PostgreSQL timestamp can be, and for those of its last thirty years
 * (294247-01-10 to 294276-12-31), which do not fit when they are counted from 1970. */
static inline bool qe__pg_read_timestamp(const uint8_t *data, int64_t *microseconds) {
  int64_t wire = qe__pg_read_int64(data);

  if (wire == INT64_MAX || wire == INT64_MIN) {
    *microseconds = wire;
    return true;
  }
  *microseconds = (int64_t)((uint64_t)wire + (uint64_t)QE_PG_EPOCH_MICROSECONDS);
  return wire >= QE_PG_TIMESTAMP_MIN - QE_PG_EPOCH_MICROSECONDS &&
         wire < INT64_MAX - QE_PG_EPOCH_MICROSECONDS;
}

static inline void qe__pg_write16(uint8_t *data, uint16_t value) {
  data[0] = (uint8_t)(value >> 8);
  data[1] = (uint8_t)value;
}

static inline void qe__pg_write32(uint8_t *data, uint32_t value) {
  qe__pg_write16(data, (uint16_t)(value >> 16));
  qe__pg_write16(data + 2, (uint16_t)value);
}

static inline void qe__pg_write64(uint8_t *data, uint64_t value) {
  qe__pg_write32(data, (uint32_t)(value >> 32));
  qe__pg_write32(data + 4, (uint32_t)value);
}

#endif
