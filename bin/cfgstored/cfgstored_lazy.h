/* SPDX-License-Identifier: BSD-3-Clause */
/* When the log goes to the disk: at once if somebody waits for it, else with
 * what comes soon.
 *
 * An fsync takes as long for little as for much, and processors have to do with
 * it as well: who asked for no more than memory need not pay for one.
 */
#ifndef RK_CFGSTORED_LAZY_H
#define RK_CFGSTORED_LAZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the disk has not been told of; all zero: nothing. */
struct cfgstored_lazy {
	bool is_awaited;
	uint64_t bytes;
	uint64_t at_ns; /* when it goes at last; 0: there is nothing */
};

/* So much more was put. */
void cfgstored_lazy_add(
    struct cfgstored_lazy *lazy, size_t len, bool is_awaited, uint64_t now_ns);

/* It goes now. */
bool cfgstored_lazy_is_due(const struct cfgstored_lazy *lazy, uint64_t now_ns);

/* UINT64_MAX: never. */
uint64_t cfgstored_lazy_deadline_ns(const struct cfgstored_lazy *lazy);

#endif
