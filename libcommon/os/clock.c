/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/clock.h"

#include <time.h>

#include "libcommon/base/ensure.h"

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	ENSURE(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * CLOCK_S_NS + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t
clock_real_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t
clock_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Writes value as exactly digits decimal digits, and what ends them. */
static char *
put_digits(char *out, uint64_t value, int digits, char end)
{
	for (int i = digits - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
	out[digits] = end;
	return out + digits + 1;
}

void
clock_stamp(uint64_t real_ns, char out[CLOCK_STAMP_BYTES])
{
	time_t s = (time_t)(real_ns / CLOCK_S_NS);
	struct tm tm;

	/* gmtime_r needs no time zone file, so it does not allocate. */
	ENSURE(gmtime_r(&s, &tm) != NULL);
	out = put_digits(out, (uint64_t)tm.tm_year + 1900, 4, '-');
	out = put_digits(out, (uint64_t)tm.tm_mon + 1, 2, '-');
	out = put_digits(out, (uint64_t)tm.tm_mday, 2, 'T');
	out = put_digits(out, (uint64_t)tm.tm_hour, 2, ':');
	out = put_digits(out, (uint64_t)tm.tm_min, 2, ':');
	out = put_digits(out, (uint64_t)tm.tm_sec, 2, '.');
	out = put_digits(out, real_ns / 1000 % 1000000, 6, 'Z');
	*out = '\0';
}
