/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages: which is due next, and what each means that is heard. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

/* ---- saying ------------------------------------------------------------ */

static void
begin(struct replica *r, struct wrbuf *wr, enum replica_wire_kind kind)
{
	struct replica_head head = { .kind = kind, .epoch = r->era.id };

	wrbuf_init(wr, r->out, r->out_size);
	replica_wire_put_head(wr, &head);
}

static bool
say_state(struct replica *r, struct wrbuf *wr)
{
	struct replica_said said;

	if (!r->is_state_due)
		return false;
	r->is_state_due = false;
	replica_view_say(r, &said);
	begin(r, wr, REPLICA_WIRE_STATE);
	replica_wire_put_said(wr, &said);
	return true;
}

static bool
say_init(struct replica *r, struct wrbuf *wr)
{
	if (!r->is_init_due)
		return false;
	r->is_init_due = false;
	begin(r, wr, REPLICA_WIRE_INIT);
	return true;
}

static bool
say_open(struct replica *r, struct wrbuf *wr)
{
	struct replica_open open;

	if (!replica_open_propose(r, &open))
		return false;
	begin(r, wr, REPLICA_WIRE_OPEN);
	replica_wire_put_open(wr, &open);
	return true;
}

/* What this node has of the epoch now. */
static void
find_synced(const struct replica *r, struct replica_synced *out)
{
	const struct replica_era *era = &r->era;

	*out = era->told;
	out->synced = num_max(out->synced, era->synced);
	if (!era->is_complete)
		return;
	/* What a full disk will not take for hours is not held by it. */
	if (!r->is_disk_full)
		out->held = num_max(out->held, era->memory_index);
	out->marks = era->marks;
}

static bool
say_synced(struct replica *r, struct wrbuf *wr)
{
	struct replica_era *era = &r->era;
	struct replica_synced now;

	if (!era->is_open || era->is_synced_sent)
		return false;
	find_synced(r, &now);
	if (!replica_pace_is_synced_due(r, &now))
		return false;
	era->told = now;
	era->is_synced_sent = true;
	begin(r, wr, REPLICA_WIRE_SYNCED);
	replica_wire_put_synced(wr, &now);
	return true;
}

static bool
say_piece(struct replica *r, struct wrbuf *wr)
{
	begin(r, wr, REPLICA_WIRE_PIECE);
	return replica_client_piece(r, wr);
}

static bool
say_record(struct replica *r, struct wrbuf *wr)
{
	begin(r, wr, REPLICA_WIRE_RECORD);
	/* What follows pieces is taken for the rest of them. */
	if (r->client.staged_len == 0 && replica_admin_record(r, wr))
		return true;
	return replica_client_record(r, wr);
}

static bool
say_mark(struct replica *r, struct wrbuf *wr)
{
	if (!replica_read_mark(r))
		return false;
	begin(r, wr, REPLICA_WIRE_MARK);
	return true;
}

static bool
say_fetch(struct replica *r, struct wrbuf *wr)
{
	struct replica_fetch fetch;

	if (!r->era.is_open || !replica_fill_fetch(r, &fetch))
		return false;
	begin(r, wr, REPLICA_WIRE_FETCH);
	replica_wire_put_fetch(wr, &fetch);
	return true;
}

static bool
say_part(struct replica *r, struct wrbuf *wr)
{
	begin(r, wr, REPLICA_WIRE_PART);
	return replica_give_part(r, wr);
}

bool
replica_say_next(struct replica *r, struct replica_effect *out)
{
	static bool (*const says[])(struct replica *, struct wrbuf *) = {
		say_state,
		say_init,
		say_open,
		say_synced,
		say_mark,
		say_piece,
		say_record,
		say_fetch,
		say_part,
	};
	struct wrbuf wr;

	if (!r->era.is_on)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(says); i++) {
		if (!says[i](r, &wr))
			continue;
		ENSURE(!wr.is_full);
		out->kind = REPLICA_OUT_PUBLISH;
		out->publish.if_view = r->era.view;
		out->publish.bytes = r->out;
		out->publish.len = wr.len;
		return true;
	}
	return false;
}

/* ---- hearing ----------------------------------------------------------- */

static void
hear_state(struct replica *r, size_t member, struct rdbuf *rd)
{
	struct replica_era *era = &r->era;
	struct replica_said said;

	if (era->is_open || !replica_wire_get_said(rd, &said))
		return;
	era->peer[member].said = said;
	era->peer[member].has_spoken = true;
	era->is_judged = false;
	era->why = NULL;
	for (size_t i = 0; i < era->members.count; i++)
		if (!era->peer[i].has_spoken)
			return;
	era->spoken_ns = num_max(era->spoken_ns, num_max(r->now_ns, 1));
	replica_open_found(r);
}

static void
hear_synced(struct replica *r, size_t member, struct rdbuf *rd)
{
	struct replica_synced synced;

	if (member == r->era.self)
		r->era.is_synced_sent = false;
	if (replica_wire_get_synced(rd, &synced))
		replica_log_on_synced(r, member, &synced);
}

static void
hear_fetch(struct replica *r, size_t member, struct rdbuf *rd)
{
	struct replica_fetch fetch;

	if (r->era.is_open && replica_wire_get_fetch(rd, &fetch))
		replica_give_ask(r, member, &fetch);
}

static void
hear_part(struct replica *r, size_t member, struct rdbuf *rd)
{
	struct replica_part part;

	if (member == r->era.self)
		replica_give_delivered(r);
	if (r->era.is_open && replica_wire_get_part(rd, &part) &&
	    part.asker == r->cfg.self && member != r->era.self)
		replica_fill_part(r, &part);
}

static void
hear_record(struct replica *r, size_t member, struct rdbuf *rd)
{
	size_t len = rdbuf_left(rd);
	const uint8_t *bytes = rdbuf_bytes(rd, len);

	if (member == r->era.self) {
		/* Only commands come in pieces, and this is the last of one:
		 * its own bytes tell no kind. */
		if (r->large_len[member] > 0 ||
		    replica_wire_record_kind(bytes, len) ==
			REPLICA_RECORD_COMMAND)
			replica_client_landed(r);
		else
			r->era.is_change_sent = false;
	}
	replica_log_deliver(r, member, bytes, len);
}

static void
hear(struct replica *r, size_t member, const struct replica_head *head,
    struct rdbuf *rd)
{
	uint32_t sender = r->era.members.id[member];
	size_t len = rdbuf_left(rd);
	bool is_own = member == r->era.self;

	switch (head->kind) {
	case REPLICA_WIRE_STATE:
		hear_state(r, member, rd);
		return;
	case REPLICA_WIRE_OPEN:
		replica_open_deliver(r, sender, rdbuf_bytes(rd, len), len);
		return;
	case REPLICA_WIRE_RECORD:
		hear_record(r, member, rd);
		return;
	case REPLICA_WIRE_SYNCED:
		hear_synced(r, member, rd);
		return;
	case REPLICA_WIRE_MARK:
		replica_read_marked(r, is_own);
		return;
	case REPLICA_WIRE_FETCH:
		hear_fetch(r, member, rd);
		return;
	case REPLICA_WIRE_PART:
		hear_part(r, member, rd);
		return;
	case REPLICA_WIRE_INIT:
		r->era.is_init = !r->era.is_open;
		r->era.is_judged = false;
		replica_open_found(r);
		return;
	case REPLICA_WIRE_PIECE:
		replica_log_piece(r, member, rdbuf_bytes(rd, len), len);
		return;
	case REPLICA_WIRES:
		return;
	}
}

void
replica_say_hear(struct replica *r, const struct replica_input *in)
{
	struct replica_era *era = &r->era;
	struct replica_head head;
	struct rdbuf rd;
	size_t member;

	/* The regular phase is over, even if nobody has said so. */
	if (in->message.is_transitional)
		replica_view_end(r);
	if (!era->is_on || in->message.pos.view.seq != era->view.seq ||
	    in->message.pos.view.rep != era->view.rep)
		return;
	member = replica_place(&era->members, in->message.sender);
	rdbuf_init(&rd, in->message.bytes, in->message.len);
	if (member == era->members.count ||
	    !replica_wire_get_head(&rd, &head) ||
	    kv_epoch_compare(&head.epoch, &era->id) != 0)
		return;
	hear(r, member, &head, &rd);
}
