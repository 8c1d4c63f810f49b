/* SPDX-License-Identifier: BSD-3-Clause */
/* What the messages of a change look like in the bytes the ring orders. */
#ifndef RK_CHANGE_WIRE_H
#define RK_CHANGE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/wrbuf.h"

#include "bin/ringd/change.h"

enum change_wire_kind {
	CHANGE_WIRE_PROPOSE = 1,
	CHANGE_WIRE_VOTE,
	CHANGE_WIRE_CANCEL,
	CHANGE_WIRE_KINDS
};

enum { CHANGE_WIRE_BYTES_MAX = 64 + CHANGE_BODY_BYTES_MAX };

struct change_wire {
	enum change_wire_kind kind;
	struct change_id id;
	struct totem_ring_id ring; /* PROPOSE: the view it is for */
	uint8_t change;            /* PROPOSE: its kind, from 1 */
	bool is_for;               /* VOTE */
	const uint8_t *bytes;      /* PROPOSE: its body; VOTE: text */
	size_t len;
};

/* out must have CHANGE_WIRE_BYTES_MAX (ENSURE). */
void change_wire_encode(const struct change_wire *wire, struct wrbuf *out);

/* Borrows bytes.  false: it is not one of these, or something is out of
 * bounds. */
bool change_wire_decode(
    const uint8_t *bytes, size_t len, struct change_wire *out);

#endif
