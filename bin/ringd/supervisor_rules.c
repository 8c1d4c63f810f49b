/* SPDX-License-Identifier: BSD-3-Clause */
/* When a child hangs, and when the next one is born. */
#include "libcommon/base/num.h"
#include "libcommon/os/exitcode.h"

#include "bin/ringd/supervisor.h"

bool
supervisor_is_hung(struct supervisor_watch *watch,
    const struct supervisor_look *look, uint64_t now_ns)
{
	bool is_late = watch->check_ns != 0 &&
	    num_sub(now_ns, watch->check_ns) >= SUPERVISOR_CHECK_NS;
	bool is_still =
	    look->turns != 0 && look->turns == watch->turns && !is_late;
	uint64_t span_ns = SUPERVISOR_CHECK_NS;

	if (look->is_runnable)
		span_ns =
		    num_min(span_ns, num_sub(look->cpu_ns, watch->cpu_ns));
	watch->still_ns = is_still ? watch->still_ns + span_ns : 0;
	watch->turns = look->turns;
	watch->cpu_ns = look->cpu_ns;
	watch->check_ns = now_ns + SUPERVISOR_CHECK_NS;
	return watch->still_ns >= SUPERVISOR_HANG_NS;
}

uint64_t
supervisor_delay_ns(uint32_t *deaths, uint64_t lived_ns)
{
	uint64_t delay_ns = SUPERVISOR_DELAY_MIN_NS;

	if (lived_ns >= SUPERVISOR_LIFE_NS)
		*deaths = 0;
	for (uint32_t i = 0; i < *deaths; i++)
		delay_ns = num_min(2 * delay_ns, SUPERVISOR_DELAY_MAX_NS);
	*deaths += *deaths < UINT32_MAX;
	return delay_ns;
}

bool
supervisor_is_passing(int code, bool was_serving)
{
	if (code == EXITCODE_CANTCREATE || code == EXITCODE_OS)
		return !was_serving;
	return code == EXITCODE_TRYAGAIN;
}

/* One slot is whole at any moment, whenever the child dies. */
void
supervisor_keep_keys(
    struct supervisor_page *page, const struct box_keyring *keys)
{
	uint32_t at = atomic_load(&page->keys_at) + 1;

	page->keys[at % 2] = *keys;
	atomic_store(&page->keys_at, at);
}

bool
supervisor_take_keys(
    const struct supervisor_page *page, struct box_keyring *keys)
{
	uint32_t at = atomic_load(&page->keys_at);

	if (at != 0)
		*keys = page->keys[at % 2];
	return at != 0;
}
