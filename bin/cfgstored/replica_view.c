/* SPDX-License-Identifier: BSD-3-Clause */
/* Views and groups: from each change on, everybody says what it has. */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/cfgstored/replica_internal.h"

uint64_t
replica_view_configured(const struct replica_config *cfg)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < cfg->node_count; i++) {
		sum = (sum ^ cfg->node[i].id) * UINT64_C(1099511628211);
		sum = (sum ^ cfg->node[i].votes) * UINT64_C(1099511628211);
	}
	return sum;
}

void
replica_view_say(const struct replica *r, struct replica_said *out)
{
	const struct replica_run *self = replica_find_run(&r->inc, r->cfg.self);

	*out = (struct replica_said){
		.is_verified = r->is_verified,
		.is_blank = r->is_blank,
		.is_silent = r->is_failed,
		.tip = replica_window_tip(&r->win),
		.acked = r->acked,
		.inc = self != NULL ? self->inc : 0,
		.run = r->cfg.run,
		.lived = r->lived,
		.configured = replica_view_configured(&r->cfg),
		.meta = r->meta,
		.fenced = r->fenced,
	};
	for (size_t i = 0; i < r->seen.count; i++)
		replica_note_run(
		    &out->meta.runs, r->seen.of[i].node, r->seen.of[i].inc, 0);
}

void
replica_view_end(struct replica *r)
{
	if (!r->era.is_on)
		return;
	if (replica_state_now(r) == REPLICA_OPEN && r->applied >= r->acked)
		r->fresh_ns = r->now_ns;
	replica_fill_abort(r);
	replica_give_reset(r);
	r->era.is_on = false;
	r->era.is_open = r->era.is_complete = false;
	r->era.why = NULL;
	r->is_state_due = false;
	r->is_init_due = false;
	replica_client_view_ended(r);
	replica_read_view_ended(r);
	replica_admin_view_ended(r);
}

static void
era_begin(struct replica *r, uint64_t pos_seq, uint32_t pos_idx)
{
	struct replica_era *era = &r->era;

	replica_view_end(r);
	if (!replica_has_node(&r->group, r->cfg.self)) {
		replica_client_refuse(r);
		return;
	}
	memset(era, 0, sizeof *era);
	memset(r->large_len, 0, sizeof r->large_len);
	era->is_on = true;
	era->id = (struct kv_epoch){ .view_seq = r->view.seq,
		.view_rep = r->view.rep,
		.pos_seq = pos_seq,
		.pos_idx = pos_idx };
	era->view = r->view;
	era->begin_ns = r->now_ns;
	era->members = r->group;
	era->self = replica_place(&era->members, r->cfg.self);
	r->is_state_due = true;
}

void
replica_view_on_view(struct replica *r, const struct replica_input *in)
{
	struct kv_nodes stays = { 0 };

	r->is_in_view = true;
	r->view = in->view.id;
	r->inc.count = 0;
	for (size_t i = 0; i < in->view.member_count; i++) {
		uint32_t node = in->view.member[i];

		replica_note_run(&r->inc, node, in->view.inc[i], 0);
		replica_note_run(&r->seen, node, in->view.inc[i], 0);
		if (replica_has_node(&r->group, node))
			replica_add_node(&stays, node);
	}
	r->group = stays;
	era_begin(r, 0, 0);
}

void
replica_view_on_group(struct replica *r, const struct replica_input *in)
{
	const struct parse_pos *pos = &in->group.pos;

	r->group.count = 0;
	for (size_t i = 0; i < in->group.node_count; i++)
		replica_add_node(&r->group, in->group.node[i]);
	if (!r->is_in_view)
		return;
	/* A change between two views counts as made by the second. */
	if (pos->view.seq == r->view.seq && pos->view.rep == r->view.rep)
		era_begin(r, pos->seq, pos->idx);
	else
		era_begin(r, 0, 0);
}

void
replica_view_on_fenced(struct replica *r, const struct replica_input *in)
{
	const struct replica_run *known =
	    replica_find_run(&r->fenced, in->fenced.node);

	if (known != NULL && known->inc >= in->fenced.inc)
		return;
	replica_note_run(&r->fenced, in->fenced.node, in->fenced.inc, 0);
	if (r->era.is_on && !r->era.is_open)
		r->is_state_due = true;
}
