/* SPDX-License-Identifier: BSD-3-Clause */
/* Effects: queued while a step decides, pulled one by one after it.
 *
 * What is sent, persisted or narrated waits in a fixed queue; messages and
 * views follow it, produced on demand from the stores, and so does what a leave
 * abandons.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

static struct totem_out *
push(struct totem *t, enum totem_effect_kind kind)
{
	ENSURE(t->out_count < TOTEM_OUTS);
	struct totem_out *out = &t->out[t->out_count++];
	out->kind = kind;
	return out;
}

void
totem_emit(struct totem *t, enum totem_effect_kind kind, uint64_t value)
{
	push(t, kind)->value = value;
}

void
totem_send(struct totem *t, uint64_t to, const uint8_t *bytes, size_t len)
{
	ENSURE(!(to & TOTEM_BIT(t->self)));
	ENSURE(len > 0 && len <= t->cfg.frame_bytes);
	if (to == 0)
		return;
	struct totem_out *out = push(t, TOTEM_OUT_SEND);
	out->to = to;
	out->bytes = bytes;
	out->len = (uint32_t)len;
	out->is_urgent =
	    bytes[0] != TOTEM_PACKET_DATA && bytes[0] != TOTEM_PACKET_DATA_RETX;
	if (!t->cfg.is_data_shared || bytes[0] != TOTEM_PACKET_DATA)
		totem_detect_sent(t, to);
}

uint8_t *
totem_ctl(struct totem *t)
{
	ENSURE(t->ctl_used + t->cfg.frame_bytes <= t->ctl_size);
	return t->ctl + t->ctl_used;
}

void
totem_send_ctl(struct totem *t, uint64_t to, const struct wrbuf *wr)
{
	ENSURE(wr->bytes == t->ctl + t->ctl_used);
	ENSURE(!wr->is_full);
	t->ctl_used += num_round_up(wr->len, 8);
	totem_send(t, to, wr->bytes, wr->len);
}

void
totem_set_tracing(struct totem *t, bool is_tracing)
{
	t->cfg.is_tracing = is_tracing;
}

static void
push_trace(struct totem *t, const struct totem_trace *trace)
{
	if (!t->cfg.is_tracing || t->out_count > TOTEM_OUTS / 2)
		return; /* effects that matter keep their room */
	push(t, TOTEM_OUT_TRACE)->trace = *trace;
}

void
totem_trace(
    struct totem *t, enum totem_trace_id id, uint64_t a, uint64_t b, uint64_t c)
{
	if (!t->cfg.is_tracing)
		return;
	push_trace(t,
	    &(struct totem_trace){ .id = (uint16_t)id,
		.state = (uint16_t)t->state,
		.arg = { a, b, c },
		.table = &t->table });
}

void
totem_trace_peer(
    struct totem *t, enum totem_trace_id id, uint32_t peer, uint64_t a)
{
	if (!t->cfg.is_tracing)
		return;
	push_trace(t,
	    &(struct totem_trace){ .id = (uint16_t)id,
		.state = (uint16_t)t->state,
		.node = t->table.id[peer],
		.arg = { a },
		.table = &t->table });
}

static const struct totem_nodes *
node_list(struct totem *t, uint64_t set)
{
	if (set == t->out_nodes_set)
		return &t->out_nodes;
	t->out_nodes_set = set;
	t->out_nodes.count = 0;
	for (uint64_t left = set; left != 0; left &= left - 1)
		t->out_nodes.id[t->out_nodes.count++] =
		    t->table.id[__builtin_ctzll(left)];
	return &t->out_nodes;
}

static void
pull(struct totem *t, struct totem_effect *out)
{
	const struct totem_out *first = &t->out[t->out_first++];

	out->kind = first->kind;
	switch (first->kind) {
	case TOTEM_OUT_SEND:
		out->send.to = node_list(t, first->to);
		out->send.packet = (enum totem_packet)first->bytes[0];
		out->send.bytes = first->bytes;
		out->send.len = first->len;
		out->send.is_urgent = first->is_urgent;
		break;
	case TOTEM_OUT_PERSIST:
		out->persist_ring_seq = first->value;
		break;
	case TOTEM_OUT_DROPPED:
		out->dropped_msg_no = first->value;
		break;
	case TOTEM_OUT_PAUSED:
		out->pause_ns = first->value;
		break;
	case TOTEM_OUT_TRACE:
		out->trace = first->trace;
		break;
	case TOTEM_OUT_WRITABLE:
	case TOTEM_OUT_LEFT:
	case TOTEM_OUT_DELIVER:
	case TOTEM_OUT_VIEW:
		break;
	}
}

/* What still waited at the leave is told, however much it is; then LEFT. */
static bool
left_next(struct totem *t, struct totem_effect *out)
{
	if (!t->owes_left)
		return false;
	if (totem_pack_abandon(t, &out->dropped_msg_no)) {
		out->kind = TOTEM_OUT_DROPPED;
		return true;
	}
	t->owes_left = false;
	out->kind = TOTEM_OUT_LEFT;
	return true;
}

bool
totem_next(struct totem *t, struct totem_effect *out)
{
	if (t->out_first < t->out_count) {
		pull(t, out);
		return true;
	}
	if (t->install.step != TOTEM_INSTALL_NONE)
		return totem_install_next(t, out);
	if (t->state == TOTEM_STATE_LEFT)
		return left_next(t, out);
	return totem_deliver_next(t, out);
}
