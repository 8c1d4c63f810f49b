/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32C (Castagnoli): finds what decayed on a disk, not what was forged. */
#ifndef RK_CRC32C_H
#define RK_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of more bytes behind those that crc is of; crc is 0 at the beginning. */
uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t len);

/* The same, and slowly: where the processor has no instruction for it. */
uint32_t crc32c_more_plain(uint32_t crc, const void *bytes, size_t len);

#endif
