/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_lazy.h"

/* A power loss of all nodes costs so much of what is only in memory. */
#define LAZY_NS UINT64_C(5000000)

/* And much is not kept back: there has to be room for more. */
enum { LAZY_BYTES = 256 << 10 };

void
cfgstored_lazy_add(
    struct cfgstored_lazy *lazy, size_t len, bool is_awaited, uint64_t now_ns)
{
	if (lazy->at_ns == 0)
		lazy->at_ns = now_ns + LAZY_NS;
	lazy->bytes += len;
	lazy->is_awaited = lazy->is_awaited || is_awaited;
}

bool
cfgstored_lazy_is_due(const struct cfgstored_lazy *lazy, uint64_t now_ns)
{
	return lazy->is_awaited || lazy->bytes >= LAZY_BYTES ||
	    now_ns >= cfgstored_lazy_deadline_ns(lazy);
}

uint64_t
cfgstored_lazy_deadline_ns(const struct cfgstored_lazy *lazy)
{
	return lazy->at_ns != 0 ? lazy->at_ns : UINT64_MAX;
}
