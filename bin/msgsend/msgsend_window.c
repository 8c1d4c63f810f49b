/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/msgsend/msgsend_window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/msgsend/msgsend_input.h"

int
msgsend_window_open(struct msgsend_window *window)
{
	window->slots = calloc(MSGSEND_WINDOW, sizeof *window->slots);
	return window->slots != NULL ? 0 : -ENOMEM;
}

void
msgsend_window_close(struct msgsend_window *window)
{
	for (size_t i = 0; window->slots != NULL && i < MSGSEND_WINDOW; i++)
		free(window->slots[i].copy);
	free(window->slots);
	window->slots = NULL;
}

bool
msgsend_window_has_room(struct msgsend_window *window)
{
	uint64_t count = window->taken - window->answered;
	uint64_t count_max = MSGSEND_WINDOW;
	size_t bytes_max = MSGSEND_WINDOW_BYTES;

	if (window->was_full) {
		count_max = count_max / 4 * 3;
		bytes_max = bytes_max / 4 * 3;
	}
	window->was_full = count >= count_max || window->bytes >= bytes_max;
	return !window->was_full;
}

static struct msgsend_slot *
slot_of(const struct msgsend_window *window, uint64_t number)
{
	return &window->slots[number % MSGSEND_WINDOW];
}

int
msgsend_window_take(
    struct msgsend_window *window, const struct msgsend_message *message)
{
	struct msgsend_slot *slot = slot_of(window, window->taken);

	ENSURE(window->taken - window->answered < MSGSEND_WINDOW);
	ENSURE(slot->copy == NULL);
	slot->len = message->len;
	slot->raw_len = window->is_keeping_raw ? message->raw_len : 0;
	if (window->is_keeping) {
		slot->copy = malloc(slot->len + slot->raw_len + 1);
		if (slot->copy == NULL)
			return -ENOMEM;
		memcpy(slot->copy, message->bytes, slot->len);
		memcpy(slot->copy + slot->len, message->raw, slot->raw_len);
	}
	window->bytes += slot->len;
	window->taken++;
	return 0;
}

static void
get(const struct msgsend_slot *slot, struct msgsend_message *out)
{
	out->bytes = slot->copy;
	out->len = slot->len;
	out->raw = slot->copy != NULL ? slot->copy + slot->len : NULL;
	out->raw_len = slot->raw_len;
}

void
msgsend_window_get(
    const struct msgsend_window *window, struct msgsend_message *out)
{
	ENSURE(window->put < window->taken);
	get(slot_of(window, window->put), out);
}

void
msgsend_window_oldest(
    const struct msgsend_window *window, struct msgsend_message *out)
{
	ENSURE(window->answered < window->put);
	get(slot_of(window, window->answered), out);
}

void
msgsend_window_drop(struct msgsend_window *window)
{
	struct msgsend_slot *slot = slot_of(window, window->answered);

	ENSURE(window->answered < window->put);
	window->bytes -= slot->len;
	free(slot->copy);
	slot->copy = NULL;
	window->answered++;
}
