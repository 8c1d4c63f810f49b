/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_daemons.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"

#include "bin/ringkit/ringkit_find.h"

static const char *const names[RINGKIT_DAEMONS] = { "ringd", "memberd",
	"quorumd", "cfgstored" };

const char *
ringkit_daemon_name(uint32_t daemon)
{
	ENSURE(daemon < RINGKIT_DAEMONS);
	return names[daemon];
}

uint32_t
ringkit_daemons_installed(uint32_t set)
{
	char path[RINGKIT_PATH_BYTES];

	for (uint32_t i = 0; i < RINGKIT_DAEMONS; i++)
		if (i != RINGKIT_DAEMON_RING &&
		    ringkit_find(names[i], path) != 0)
			set &= ~(UINT32_C(1) << i);
	return set;
}

static uint32_t
find_bit(const char *name, size_t len)
{
	for (uint32_t i = 0; i < RINGKIT_DAEMONS; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return UINT32_C(1) << i;
	return 0;
}

bool
ringkit_daemons_parse(const char *list, size_t len, uint32_t *set)
{
	uint32_t found = 0;

	for (size_t from = 0; from <= len;) {
		const char *comma = memchr(list + from, ',', len - from);
		size_t n =
		    comma != NULL ? (size_t)(comma - list) - from : len - from;
		uint32_t bit = find_bit(list + from, n);

		if (bit == 0)
			return false;
		found |= bit;
		from += n + 1;
	}
	*set = found;
	return (found & (UINT32_C(1) << RINGKIT_DAEMON_RING)) != 0;
}

void
ringkit_daemons_put(struct text *out, uint32_t set)
{
	size_t before = out->len;

	for (uint32_t i = 0; i < RINGKIT_DAEMONS; i++) {
		if (!(set & (UINT32_C(1) << i)))
			continue;
		text_put(out, out->len > before ? "," : "");
		text_put(out, names[i]);
	}
}
