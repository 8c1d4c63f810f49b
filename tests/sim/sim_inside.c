/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_inside.h"

#include "bin/ringd/totem_internal.h"

bool
sim_inside_is_early(const struct totem *t, const uint8_t *bytes, size_t len)
{
	struct totem_frame frame;

	return t->state == TOTEM_STATE_RECOVERY &&
	    totem_wire_get_frame(&t->table, bytes, len, &frame) &&
	    totem_ring_equal(frame.ring, t->form->id) &&
	    (frame.flags & TOTEM_FRAME_RECOVERY) == 0;
}

bool
sim_inside_is_installing(const struct totem *t)
{
	return t->state == TOTEM_STATE_RECOVERY &&
	    t->recovery.ready_visits == 1;
}

uint32_t
sim_inside_quiet_visits(const struct totem *t)
{
	return t->state == TOTEM_STATE_RECOVERY ? t->recovery.quiet_visits : 0;
}
