/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages that were taken from the input and are not answered yet.
 *
 *	answered <= put <= taken <= answered + MSGSEND_WINDOW
 *
 * From answered to put they are on their way; from put to taken they wait to
 * be sent (again), which only happens when copies are kept.
 */
#ifndef RK_MSGSEND_WINDOW_H
#define RK_MSGSEND_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct msgsend_message;

enum {
	MSGSEND_WINDOW = 4000, /* ringd leaves more than 4,096 unread */
	MSGSEND_WINDOW_BYTES = 8 << 20,
};

struct msgsend_slot {
	size_t len, raw_len;
	char *copy; /* the message, then it as it stood in the input */
};

struct msgsend_window {
	bool is_keeping, is_keeping_raw;
	bool was_full;
	uint64_t answered, put, taken;
	size_t bytes;               /* from answered to taken */
	struct msgsend_slot *slots; /* number % MSGSEND_WINDOW */
};

RK_MUST_CHECK int msgsend_window_open(struct msgsend_window *window);
void msgsend_window_close(struct msgsend_window *window);

/*
 * One more message may be taken.  Once full it stays so until a quarter is
 * free, so that what is sent goes out in large pieces.
 */
bool msgsend_window_has_room(struct msgsend_window *window);

/* Takes a message in, copied if copies are kept: 0 or -ENOMEM. */
RK_MUST_CHECK int msgsend_window_take(
    struct msgsend_window *window, const struct msgsend_message *message);

/* Message number put, when put < taken; borrowed until it is answered. */
void msgsend_window_get(
    const struct msgsend_window *window, struct msgsend_message *out);

/* The oldest on its way; raw only when it is kept. */
void msgsend_window_oldest(
    const struct msgsend_window *window, struct msgsend_message *out);

/* The oldest on its way was answered. */
void msgsend_window_drop(struct msgsend_window *window);

#endif
