/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The anti-replay window of RFC 6479: a ring of blocks, of which those that
 * the highest counter has passed are cleared when it moves, so that sliding
 * never shifts bits.  A look before the datagram is opened keeps copies (of
 * other links, or of an attacker) cheap; taking comes after, because only an
 * authentic counter may move the window.
 */
#include "bin/ringd/session_window.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

static uint64_t *
session_window_block(struct session_window *window, uint64_t counter)
{
	return &window->block[counter / 64 % SESSION_WINDOW_BLOCKS];
}

void
session_window_init(struct session_window *window, uint64_t counter)
{
	for (size_t i = 0; i < SESSION_WINDOW_BLOCKS; i++)
		window->block[i] = UINT64_MAX;
	*session_window_block(window, counter) =
	    UINT64_MAX >> (63 - counter % 64);
	window->highest = counter;
}

bool
session_window_is_fresh(const struct session_window *window, uint64_t counter)
{
	uint64_t bit = (uint64_t)1 << counter % 64;

	if (counter > window->highest)
		return true;
	if (window->highest - counter >= SESSION_WINDOW_BITS)
		return false;
	return !(window->block[counter / 64 % SESSION_WINDOW_BLOCKS] & bit);
}

void
session_window_take(struct session_window *window, uint64_t counter)
{
	ENSURE(session_window_is_fresh(window, counter));
	if (counter > window->highest) {
		uint64_t first = window->highest / 64 + 1;
		uint64_t end = counter / 64 + 1;

		if (end > SESSION_WINDOW_BLOCKS)
			first = num_max(first, end - SESSION_WINDOW_BLOCKS);
		for (uint64_t i = first; i < end; i++)
			window->block[i % SESSION_WINDOW_BLOCKS] = 0;
		window->highest = counter;
	}
	*session_window_block(window, counter) |= (uint64_t)1 << counter % 64;
}
