/* The binary form is four bytes (family 2 or 3, bits of the mask, whether it is a
 * cidr, size of the address) and the address. The text of an IPv6 address is
 * PostgreSQL's own: the first of the longest runs of zeros is "::", and "::", "::ffff:"
 * and one other short form are followed by an IPv4 address. */
#include "qe_postgres_network.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "qe_error.h"
#include "qe_postgres_wire.h"

enum { FAMILY_4 = 2, FAMILY_6 = 3, HEADER_SIZE = 4, WORDS = 8 };
enum { TEXT_SIZE = 64 }; /* 45 for an address, 4 for "/128" */

typedef struct zero_run {
  int first, length;
} zero_run;

static zero_run longest_zeros(const uint16_t *words) {
  zero_run best = {-1, 1}; /* a single zero is written */
  int first = 0;

  for (int i = 0; i < WORDS; i++) {
    if (words[i] != 0) {
      first = i + 1;
    } else if (i - first + 1 > best.length) {
      best = (zero_run){first, i - first + 1};
    }
  }
  return best;
}

static int write_ipv4(char *out, const uint8_t *address) {
  return snprintf(out, TEXT_SIZE / 2, "%d.%d.%d.%d", address[0], address[1], address[2],
                  address[3]);
}

static bool ends_as_ipv4(const uint16_t *words, zero_run zeros) {
  return zeros.first == 0 &&
         (zeros.length == 6 || (zeros.length == 7 && words[7] != 1) ||
          (zeros.length == 5 && words[5] == 0xFFFF));
}

static int write_ipv6(char *out, const uint8_t *address) {
  uint16_t words[WORDS];
  zero_run zeros;
  int size = 0;

  for (int i = 0; i < WORDS; i++) words[i] = qe__pg_read16(address + (ptrdiff_t)i * 2);
  zeros = longest_zeros(words);
  for (int i = 0; i < WORDS; i++) {
    if (zeros.first >= 0 && i >= zeros.first && i < zeros.first + zeros.length) {
      if (i == zeros.first) out[size++] = ':';
      continue;
    }
    if (i != 0) out[size++] = ':';
    if (i == 6 && ends_as_ipv4(words, zeros)) {
      return size + write_ipv4(out + size, address + 12);
    }
    size += snprintf(out + size, 8, "%x", (unsigned)words[i]);
  }
  if (zeros.first >= 0 && zeros.first + zeros.length == WORDS) out[size++] = ':';
  return size;
}

qe_status qe__pg_network_text(const uint8_t *data, int64_t size, qe_bytes *out,
                              qe_error *error) {
  char text[TEXT_SIZE];
  int all_bits, bits, written;
  bool is_six;

  if (size < HEADER_SIZE || (data[0] != FAMILY_4 && data[0] != FAMILY_6) ||
      data[2] > 1) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A network address of %lld bytes has no known form",
                    (long long)size);
  }
  is_six = data[0] == FAMILY_6;
  all_bits = is_six ? 128 : 32;
  bits = data[1];
  if (data[3] * 8 != all_bits || size != HEADER_SIZE + data[3] || bits > all_bits) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A network address has %lld bytes and %d bits of a mask",
                    (long long)size, bits);
  }
  written = is_six ? write_ipv6(text, data + HEADER_SIZE)
                   : write_ipv4(text, data + HEADER_SIZE);
  if (bits != all_bits || data[2] == 1) {
    written += snprintf(text + written, 8, "/%d", bits);
  }
  assert(written < TEXT_SIZE);
  if (!qe__bytes_reserve(out, written)) return qe__fail_memory(error, "address");
  memcpy(out->data + out->size, text, (size_t)written);
  out->size += written;
  return QE_OK;
}
