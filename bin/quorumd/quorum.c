/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls: one input at a time, then the verdict anew. */
#include "bin/quorumd/quorum.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

/* ---- creation ---------------------------------------------------------- */

/* What the configuration says, or what we once counted, if that is more. */
static void
begin_memory(struct quorum *q)
{
	const struct quorum_config *cfg = &q->cfg;
	struct quorum_epoch *now = &q->memory.now;

	now->cause = QUORUM_CAUSE_START;
	now->config = q->version;
	now->voters = q->configured;
	now->expected = (uint32_t)num_max(q->base_expected, q->tracked);
	for (size_t i = 0; i < cfg->node_count; i++)
		now->votes[i] = cfg->node[i].votes;
	q->held = *now;
	q->record_no = q->recorded_no = 1;
}

static bool
is_tracking(const struct quorum_config *cfg)
{
	return cfg->expected_votes_tracking || cfg->allow_downscale;
}

/* Reads a message; whoever it names has a place then, if there is room. */
static bool
read_wire(
    struct quorum *q, const void *bytes, size_t len, struct quorum_wire *out)
{
	if (len > QUORUM_MESSAGE_BYTES_MAX)
		return false;
	memcpy(q->scratch, bytes, len);
	if (!quorum_wire_get(&q->cfg, q->scratch, len, out))
		return false;
	if (out->stranger_count == 0)
		return true;
	quorum_reload_learn(q, out->stranger, out->stranger_count);
	memcpy(q->scratch, bytes, len);
	return quorum_wire_get(&q->cfg, q->scratch, len, out);
}

static void
recall(struct quorum *q, const void *kept, size_t kept_len)
{
	struct quorum_wire wire;

	if (kept == NULL || kept_len == 0 ||
	    !read_wire(q, kept, kept_len, &wire) ||
	    wire.kind != QUORUM_WIRE_STATE)
		return;
	(void)quorum_epoch_merge(&q->memory, &wire.memory);
	q->run = wire.run + 1;
	q->said[q->self] = wire.said;
	q->said[q->self].config = q->version;
	q->said[q->self].is_promised = true;
	q->said[q->self].is_unsure = q->is_unsure = true;
	q->sure_view = wire.view;
	q->sure_members = wire.members;
	if (q->cfg.wait_for_all == QUORUM_WAIT_ALWAYS)
		q->said[q->self].is_waiting = true; /* it said no meanwhile */
}

struct quorum *
quorum_create(struct arena *arena, const struct quorum_config *cfg,
    const void *kept, size_t kept_len)
{
	struct quorum *q = arena_take(arena, sizeof *q);
	struct quorum *trial = arena_take(arena, sizeof *trial);
	char why[QUORUM_TEXT_BYTES];
	struct text text;

	text_init(&text, why, sizeof why);
	ENSURE(!quorum_config_mistake(cfg, 0, &text));
	if (q == NULL)
		return NULL;
	memset(q, 0, sizeof *q);
	q->trial = trial;
	q->cfg = *cfg;
	for (size_t i = 0; i < cfg->node_count; i++)
		q->all |= QUORUM_BIT(i);
	q->configured = q->all;
	quorum_reload_derive(q);
	q->tracked = is_tracking(cfg) ? cfg->tracked : 0;
	q->want_ns = QUORUM_NEVER;
	q->lms_ns = QUORUM_NEVER;
	begin_memory(q);
	q->said[q->self] = (struct quorum_said){
		.votes = cfg->node[q->self].votes,
		.is_waiting = cfg->wait_for_all != QUORUM_WAIT_NO,
		.is_fresh = true,
		.config = q->version,
		.is_promised = true,
	};
	q->run = 1;
	recall(q, kept, kept_len);
	q->said[q->self].tracked = q->tracked;
	q->is_keep_due = true; /* whoever comes after us counts on */
	return q;
}

/* ---- the view ---------------------------------------------------------- */

/*
 * A loss while there is quorum starts the window; one that ran and came to
 * nothing because the view changed begins anew.
 */
static void
start_window(struct quorum *q)
{
	if (!q->finding.is_quorate || !q->is_lms_owed)
		return;
	q->is_lms_owed = false;
	q->lms_ns = q->now_ns + q->cfg.last_man_standing_window_ns;
}

/* All up to here was read: until this quorumd ends, at least. */
static void
keep_place(struct quorum *q)
{
	if (q->is_unsure)
		return;
	q->sure_view = q->view;
	q->sure_members = q->members;
	q->is_keep_due = true;
}

/* Of those who are away in our first view nobody knows since when. */
static void
note_lost(struct quorum *q, uint64_t members, uint64_t leaver)
{
	uint64_t before = q->is_in_view ? q->members : q->configured;
	uint64_t lost = before & ~members & ~leaver;

	q->lost = (q->lost | lost) & ~members;
	if (lost != 0)
		q->lost_ns = q->now_ns;
}

static void
take_view(struct quorum *q, const struct quorum_input *in)
{
	const struct quorum_config *cfg = &q->cfg;

	quorum_reload_learn(q, in->view.member, in->view.member_count);
	if (!q->is_in_view)
		quorum_record_date(q, in->view.id.seq);
	uint64_t self = QUORUM_BIT(q->self);
	uint64_t members =
	    quorum_config_set(cfg, in->view.member, in->view.member_count) |
	    self;
	uint64_t along =
	    quorum_config_set(cfg, in->view.along, in->view.along_count);
	uint64_t leaver =
	    quorum_config_set(cfg, in->view.leaver, in->view.leaver_count);
	uint64_t lost = q->members & ~members;

	along = (along & members & q->members) | (q->is_in_view ? self : 0);
	for (size_t i = 0; i < cfg->node_count; i++)
		if (!(along & QUORUM_BIT(i)))
			q->since[i] = in->view.id.seq;
	q->is_lms_owed = cfg->last_man_standing && (lost != 0 || q->is_lms_due);
	q->is_lms_due = false;
	note_lost(q, members, leaver);
	q->gone = (q->gone | (leaver & lost)) & ~members;
	if (members & ~along) {
		memset(&q->common, 0, sizeof q->common);
		memset(&q->round, 0, sizeof q->round);
		q->is_synced = q->is_in_view;
		q->is_owed = true;
	}
	q->members = members;
	q->group &= along;
	q->spoken &= along;
	q->leaving &= along;
	q->agreed &= along;
	q->vouched &= along;
	q->is_in_view = true;
	q->view = in->view.id;
	keep_place(q);
	q->view_ns = in->now_ns;
	q->pos = (struct parse_pos){ .view = in->view.id };
	q->common_end = q->common;
	q->is_owed |= q->is_in_flight;
	q->is_in_flight = false;
	q->want_ns = QUORUM_NEVER;
	q->is_told = false;
	quorum_device_keep(q, 0);
	quorum_request_drop(q);
}

static void
take_group(struct quorum *q, const struct quorum_input *in)
{
	uint64_t before = q->group;

	q->pos = in->group.pos;
	q->group = q->members &
	    quorum_config_set(&q->cfg, in->group.node, in->group.node_count);
	q->spoken &= q->group;
	q->leaving &= q->group;
	quorum_device_keep(q, q->group);
	q->agreed &= q->group;
	if (q->group & ~before) {
		q->is_owed = true;
		quorum_device_repeat(q);
	}
	q->reason = QUORUM_REASON_SPOKEN;
}

/* ---- messages ---------------------------------------------------------- */

/*
 * We said it, and not a quorumd that was here before us, whose last words are
 * ordered behind our start.
 */
static bool
is_ours(const struct quorum *q, size_t sender, const struct quorum_wire *wire)
{
	return sender == q->self && wire->run == q->run;
}

/* Its quorumd began anew: so all do, from this place on. */
static void
begin_round(struct quorum *q, size_t sender, const struct quorum_wire *wire)
{
	q->round = q->pos;
	memset(&q->common, 0, sizeof q->common);
	memset(&q->common_end, 0, sizeof q->common_end);
	q->agreed = 0;
	q->leaving &= ~QUORUM_BIT(sender);
	if (is_ours(q, sender, wire)) {
		q->is_synced = true;
		return;
	}
	q->is_owed = true;
	quorum_device_keep(q, ~QUORUM_BIT(sender));
	quorum_device_repeat(q);
}

/* Who went with it ever since has read what it may have missed. */
static void
vouch(struct quorum *q, size_t sender, const struct quorum_wire *wire)
{
	uint64_t bit = QUORUM_BIT(sender);

	if (!wire->said.is_unsure || q->since[sender] > wire->view.seq) {
		q->vouched &= ~bit;
		return;
	}
	if (!(q->vouched & bit))
		q->is_owed = true;
	q->vouched |= bit;
}

static void
end_doubt(struct quorum *q)
{
	if (!q->is_unsure)
		return;
	q->is_unsure = false;
	q->is_owed = true;
	keep_place(q);
}

static void
hear_state(struct quorum *q, size_t sender, struct quorum_wire *wire)
{
	bool is_current, is_stale, was_recalled;

	if (wire->is_new)
		begin_round(q, sender, wire);
	if (is_ours(q, sender, wire))
		q->is_in_flight = false;
	if (is_ours(q, sender, wire) && wire->said.config != q->told_config) {
		q->told_config = wire->said.config;
		q->told = q->pos;
	}
	if (sender != q->self)
		quorum_record_hear(q, wire);
	/* Said before an agreement that ended its doubts, too. */
	is_stale = (q->agreed & QUORUM_BIT(sender)) &&
	    quorum_epoch_order(&wire->memory.now.stamp, &q->common) < 0;
	was_recalled = q->memory.since.view.seq != 0;
	if (!is_stale && quorum_epoch_merge(&q->memory, &wire->memory)) {
		q->is_held_over |=
		    was_recalled && q->memory.since.view.seq == 0;
		q->is_keep_due = true;
		q->want_ns = QUORUM_NEVER;
	}
	is_current =
	    wire->is_new || quorum_epoch_order(&wire->round, &q->round) == 0;
	if (!is_current)
		return; /* it will speak again */
	if (quorum_epoch_order(&wire->memory.now.stamp, &q->common) > 0)
		q->common = wire->memory.now.stamp;
	if (quorum_epoch_order(&q->common, &q->common_end) > 0)
		q->common_end = q->common;
	if (sender == q->self && !is_ours(q, sender, wire))
		return;
	if (sender == q->self)
		q->said[sender].is_unsure = wire->said.is_unsure;
	else if (!is_stale)
		q->said[sender] = wire->said;
	if (sender != q->self)
		vouch(q, sender, wire);
	if (q->is_synced && (wire->vouched & QUORUM_BIT(q->self)))
		end_doubt(q);
	q->spoken |= QUORUM_BIT(sender);
	q->reason = QUORUM_REASON_SPOKEN;
}

static void
hear_cancel(struct quorum *q, size_t sender, const struct quorum_wire *wire)
{
	struct quorum_request *request =
	    sender == q->self ? quorum_request_find(q, wire->no) : NULL;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->spoken & QUORUM_BIT(i))
			q->said[i].is_waiting = q->said[i].is_unsure = false;
	q->said[q->self].is_waiting = q->said[q->self].is_unsure = false;
	end_doubt(q);
	q->is_keep_due = true;
	q->is_owed = true;
	q->reason = QUORUM_REASON_WAIT_CANCELLED;
	if (request != NULL)
		quorum_request_answer(q, request, QUORUM_ANSWER_OK, "");
}

static void
hear_epoch(struct quorum *q, size_t sender, const struct quorum_wire *wire,
    bool is_transitional)
{
	bool holds = quorum_change_apply(q, sender, wire, is_transitional);
	struct quorum_request *request =
	    sender == q->self ? quorum_request_find(q, wire->no) : NULL;

	if (request == NULL)
		return;
	/* Somebody else may have had the same configuration agreed on. */
	if (wire->reason == QUORUM_REASON_RELOADED &&
	    wire->epoch.config == q->memory.now.config)
		holds = true;
	if (holds || request->kind == QUORUM_REQUEST_LEAVE)
		quorum_request_answer(q, request, QUORUM_ANSWER_OK, "");
	else
		quorum_request_answer(q, request, QUORUM_ANSWER_AGAIN,
		    "something else was agreed first: ask again");
}

/* What a member of the group said; anything else is nobody's. */
static void
take_message(struct quorum *q, const struct quorum_input *in)
{
	size_t sender = quorum_config_place(&q->cfg, in->message.sender);
	struct quorum_wire wire;

	q->pos = in->message.pos;
	if (sender == LIMIT_NODES || !(q->group & QUORUM_BIT(sender)) ||
	    !read_wire(q, in->message.bytes, in->message.len, &wire))
		return;
	/* Reading it may have made places for others. */
	sender = quorum_config_place(&q->cfg, in->message.sender);
	if (!is_ours(q, sender, &wire))
		wire.no = 0; /* nobody here asked for it */
	switch (wire.kind) {
	case QUORUM_WIRE_STATE:
		hear_state(q, sender, &wire);
		break;
	case QUORUM_WIRE_EPOCH:
		hear_epoch(q, sender, &wire, in->message.is_transitional);
		break;
	case QUORUM_WIRE_CANCEL:
		hear_cancel(q, sender, &wire);
		break;
	case QUORUM_WIRE_VOTE:
		quorum_device_cast(q, sender, &wire, in);
		break;
	case QUORUM_WIRE_EXPIRE:
		quorum_device_expire(q, &wire);
		break;
	case QUORUM_WIRES:
		break;
	}
}

/* ---- after every input ------------------------------------------------- */

static void
ask_cancel(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_request *request =
	    quorum_request_open(q, QUORUM_REQUEST_CANCEL, in);
	struct quorum_wire wire = { .kind = QUORUM_WIRE_CANCEL };

	if (request == NULL)
		return;
	wire.no = request->no;
	quorum_effect_publish(q, &wire);
}

static void
take_time(struct quorum *q)
{
	if (q->now_ns >= q->lms_ns) {
		q->lms_ns = QUORUM_NEVER;
		q->is_lms_due = true;
	}
	quorum_device_time(q);
	quorum_request_expire(q);
}

/*
 * Who loses quorum may have to wait for all again: and has lost it, too, when
 * an agreement took it in that it never saw the use of.  All who were with us
 * have lost it with us; they need not say so first.
 */
static void
update_self(struct quorum *q, bool had_quorum)
{
	struct quorum_said *own = &q->said[q->self];

	if (q->is_synced &&
	    (q->finding.is_quorate ||
		(q->sure_members & ~quorum_judge_side(q)) == 0))
		end_doubt(q);
	if (q->finding.is_quorate && q->memory.now.stamp.view.seq == 0 &&
	    !q->memory.is_tried)
		q->memory.is_tried = q->is_keep_due = true;
	if (!q->finding.is_quorate)
		q->gone = 0;
	if (!q->finding.is_quorate || q->finding.votes >= q->finding.expected)
		q->is_lms_due = false;
	if (q->finding.is_quorate || !had_quorum ||
	    q->cfg.wait_for_all != QUORUM_WAIT_ALWAYS)
		return;
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (quorum_judge_side(q) & QUORUM_BIT(i) & ~QUORUM_BIT(q->self))
			q->said[i].is_waiting = true;
	if (own->is_waiting)
		return;
	own->is_waiting = true;
	q->is_owed = true;
	q->is_keep_due = true;
}

static void
track(struct quorum *q)
{
	if (!is_tracking(&q->cfg) || q->memory.now.expected <= q->tracked)
		return;
	q->tracked = q->memory.now.expected;
	q->is_track_due = true;
}

static void
tell(struct quorum *q)
{
	const struct quorum_finding *found = &q->finding;
	struct quorum_verdict *v = &q->verdict;

	if (!v->is_known && !(q->spoken & QUORUM_BIT(q->self)))
		return;
	if (q->is_told && v->is_quorate == found->is_quorate &&
	    v->votes == found->votes && v->needed == found->needed &&
	    v->expected == found->expected && v->basis == found->basis)
		return;
	*v = (struct quorum_verdict){
		.is_known = true,
		.is_quorate = found->is_quorate,
		.basis = found->basis,
		.reason = q->is_told ? q->reason : QUORUM_REASON_VIEW,
		.view = q->view,
		.pos = q->pos,
		.votes = (uint32_t)found->votes,
		.needed = (uint32_t)found->needed,
		.expected = (uint32_t)found->expected,
	};
	q->is_told = true;
	q->is_verdict_due = true;
}

static void
speak(struct quorum *q)
{
	struct quorum_wire wire = { .kind = QUORUM_WIRE_STATE,
		.said = q->said[q->self],
		.memory = q->memory,
		.is_new = !q->is_synced,
		.view = q->sure_view,
		.members = q->sure_members,
		.vouched = q->vouched,
		.round = q->round };

	wire.said.is_unsure = q->is_unsure;

	if (!q->is_owed || q->is_in_flight || !(q->group & QUORUM_BIT(q->self)))
		return;
	q->is_owed = false;
	q->is_in_flight = true;
	quorum_effect_publish(q, &wire);
}

static void
conclude(struct quorum *q, bool is_view)
{
	bool had_quorum = q->finding.is_quorate || (is_view && q->is_taken_in);

	if (q->is_pending && q->memory.now.config == q->next_version)
		quorum_reload_install(q);
	if (q->is_in_view)
		quorum_judge(q, quorum_judge_side(q), &q->finding);
	quorum_record_follow(q);
	if (!q->is_in_view)
		return;
	update_self(q, had_quorum);
	if (is_view)
		q->is_taken_in = false;
	start_window(q);
	track(q);
	tell(q);
	speak(q);
	quorum_change_propose(q);
}

void
quorum_step(struct quorum *q, const struct quorum_input *in)
{
	ENSURE(q->late_at == q->late_count && !q->is_verdict_due);
	q->late_at = q->late_count = q->out_len = 0;
	q->now_ns = in->now_ns;
	switch (in->kind) {
	case QUORUM_IN_VIEW:
		take_view(q, in);
		break;
	case QUORUM_IN_GROUP:
		take_group(q, in);
		break;
	case QUORUM_IN_MESSAGE:
		take_message(q, in);
		break;
	case QUORUM_IN_TIME:
		take_time(q);
		break;
	case QUORUM_IN_CONFIG:
		quorum_reload_take(q, in->config);
		break;
	case QUORUM_IN_RECORDED:
		q->recorded_no = num_max(q->recorded_no, in->recorded);
		break;
	case QUORUM_IN_RELOAD:
		quorum_reload_ask(q, in);
		break;
	case QUORUM_IN_SET_EXPECTED:
		quorum_change_set_expected(q, in);
		break;
	case QUORUM_IN_SET_VOTES:
		quorum_change_set_votes(q, in);
		break;
	case QUORUM_IN_CANCEL_WAIT:
		ask_cancel(q, in);
		break;
	case QUORUM_IN_VOTE:
		quorum_device_ask(q, in);
		break;
	case QUORUM_IN_LEAVE:
		quorum_change_leave(q, in);
		break;
	case QUORUM_INPUTS:
		ENSURE(false);
	}
	conclude(q, in->kind == QUORUM_IN_VIEW);
}

uint64_t
quorum_deadline_ns(const struct quorum *q)
{
	uint64_t deadline = num_min(q->lms_ns, quorum_change_deadline_ns(q));

	deadline = num_min(deadline, quorum_device_deadline_ns(q));
	return num_min(deadline, quorum_request_deadline_ns(q));
}

void
quorum_verdict_now(const struct quorum *q, struct quorum_verdict *out)
{
	*out = q->verdict;
}

bool
quorum_is_settled(const struct quorum *q, uint64_t now_ns)
{
	return q->verdict.is_known && q->verdict.is_quorate &&
	    (q->lost == 0 || now_ns - q->lost_ns >= q->cfg.settle_ns);
}
