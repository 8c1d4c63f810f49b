/* SPDX-License-Identifier: BSD-3-Clause */
/* The only place that reads a clock. */
#ifndef RK_CLOCK_H
#define RK_CLOCK_H

#include <stdint.h>

#define CLOCK_MS_NS UINT64_C(1000000)
#define CLOCK_S_NS  UINT64_C(1000000000)

/* Monotonic: never steps, stands still while the machine is suspended. */
uint64_t clock_now_ns(void);

/* Monotonic, and goes on while the machine is suspended. */
uint64_t clock_boot_ns(void);

/* Nanoseconds since 1970, UTC: for stamps that people read, never to wait. */
uint64_t clock_real_ns(void);

/* The CPU time that this process has used. */
uint64_t clock_cpu_ns(void);

enum { CLOCK_STAMP_BYTES = 28 };

/*
 * Writes real_ns as 2026-11-22T16:20:01.123456Z and a NUL: exactly
 * CLOCK_STAMP_BYTES bytes, whatever the locale and time zone.
 */
void clock_stamp(uint64_t real_ns, char out[CLOCK_STAMP_BYTES]);

#endif
