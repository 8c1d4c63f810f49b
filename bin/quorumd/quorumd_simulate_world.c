/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that is said is heard by all of a side, in one order, at once:
 * time passes only when the script says so.
 */
#include "bin/quorumd/quorumd_simulate_world.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#define BIT(i) ((uint64_t)1 << (i))

enum { MAIL_MAX = 4096, SETTLE_MAX = 1 << 15 };

struct node {
	struct quorum *core;
	void *memory;
	uint64_t side; /* its view */
	struct parse_view view;
	uint64_t seq; /* of the last message of its view */
	uint64_t ring_seq;
	char kept[QUORUM_MESSAGE_BYTES_MAX];
	size_t kept_len;
	char record[QUORUM_MESSAGE_BYTES_MAX];
	size_t record_len; /* 0: none */
	uint64_t record_no;
	uint32_t tracked;
};

struct mail {
	size_t sender;
	struct parse_view view;
	size_t len;
	char bytes[QUORUM_MESSAGE_BYTES_MAX];
};

struct quorumd_simulate_world {
	struct quorum_config cfg; /* its nodes: all there ever were */
	struct quorum_config file;
	uint64_t now_ns;
	uint64_t up;
	struct node node[LIMIT_NODES];
	struct mail mail[MAIL_MAX]; /* a ring */
	size_t mail_first;
	size_t mail_count;
	bool has_answer;
	enum quorum_answer answer;
	const char *answer_text;
	bool has_records;
	uint64_t slow_disks;
};

struct quorumd_simulate_world *
quorumd_simulate_open(const struct quorum_config *cfg)
{
	struct quorumd_simulate_world *w = calloc(1, sizeof *w);
	struct arena measure;

	if (w == NULL)
		return NULL;
	w->cfg = *cfg;
	w->cfg.self = cfg->node[0].id;
	w->file = w->cfg;
	arena_init(&measure, NULL, 0);
	(void)quorum_create(&measure, &w->cfg, NULL, 0); /* only its size */
	for (size_t i = 0; i < cfg->node_count; i++) {
		w->node[i].memory = aligned_alloc(
		    64, num_round_up(measure.used_bytes + 64, 64));
		w->node[i].tracked = cfg->tracked;
		if (w->node[i].memory != NULL)
			continue;
		quorumd_simulate_close(w);
		return NULL;
	}
	return w;
}

void
quorumd_simulate_close(struct quorumd_simulate_world *w)
{
	for (size_t i = 0; i < LIMIT_NODES; i++)
		free(w->node[i].memory);
	free(w);
}

/* ---- effects ----------------------------------------------------------- */

static void
post(struct quorumd_simulate_world *w, size_t sender,
    const struct quorum_effect *effect)
{
	struct mail *mail =
	    &w->mail[(w->mail_first + w->mail_count) % MAIL_MAX];

	if (w->mail_count == MAIL_MAX)
		abort(); /* no script makes that many: a loop among cores */
	w->mail_count++;
	mail->sender = sender;
	mail->view = effect->publish.if_view;
	mail->len = effect->publish.len;
	memcpy(mail->bytes, effect->publish.bytes, mail->len);
}

static void
step(struct quorumd_simulate_world *w, size_t i, struct quorum_input *in)
{
	struct node *node = &w->node[i];
	struct quorum_input recorded = { .kind = QUORUM_IN_RECORDED };
	struct quorum_effect effect;

	if (node->core == NULL)
		return; /* its ringd hears it, and nobody else there */
	in->now_ns = w->now_ns;
	quorum_step(node->core, in);
	while (quorum_next(node->core, &effect))
		switch (effect.kind) {
		case QUORUM_OUT_PUBLISH:
			post(w, i, &effect);
			break;
		case QUORUM_OUT_KEEP:
			memcpy(node->kept, effect.keep.bytes, effect.keep.len);
			node->kept_len = effect.keep.len;
			break;
		case QUORUM_OUT_TRACK:
			node->tracked = effect.track;
			break;
		case QUORUM_OUT_RECORD:
			recorded.recorded = effect.record.no;
			node->record_len = effect.record.len;
			memcpy(node->record, effect.record.bytes,
			    effect.record.len);
			break;
		case QUORUM_OUT_ANSWER:
			w->has_answer = true;
			w->answer = effect.answer.code;
			w->answer_text = effect.answer.text;
			break;
		case QUORUM_OUT_VERDICT:
		case QUORUM_EFFECTS:
			break;
		}
	quorum_check(node->core);
	if (recorded.recorded != 0)
		node->record_no = recorded.recorded;
	if (recorded.recorded != 0 && !(w->slow_disks & BIT(i)))
		step(w, i, &recorded);
}

static bool
is_same_view(struct parse_view a, struct parse_view b)
{
	return a.rep == b.rep && a.seq == b.seq;
}

static void
deliver(struct quorumd_simulate_world *w, const struct mail *mail)
{
	struct node *sender = &w->node[mail->sender];
	uint64_t side = sender->side;

	if (!(w->up & BIT(mail->sender)) ||
	    !is_same_view(sender->view, mail->view))
		return; /* if_view */
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		struct quorum_input in = { .kind = QUORUM_IN_MESSAGE };

		if (!(side & BIT(i)))
			continue;
		in.message.sender = w->cfg.node[mail->sender].id;
		in.message.pos =
		    (struct parse_pos){ w->node[i].view, ++w->node[i].seq, 0 };
		in.message.bytes = mail->bytes;
		in.message.len = mail->len;
		step(w, i, &in);
	}
}

static void
settle(struct quorumd_simulate_world *w)
{
	for (size_t done = 0; w->mail_count > 0; done++) {
		const struct mail *mail = &w->mail[w->mail_first];

		if (done == SETTLE_MAX)
			abort(); /* as in post */
		deliver(w, mail);
		w->mail_first = (w->mail_first + 1) % MAIL_MAX;
		w->mail_count--;
	}
}

/* ---- views ------------------------------------------------------------- */

static size_t
list(const struct quorumd_simulate_world *w, uint64_t set, uint32_t *id)
{
	size_t count = 0;

	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (set & BIT(i))
			id[count++] = w->cfg.node[i].id;
	return count;
}

static void
tell_group(struct quorumd_simulate_world *w, uint64_t side, uint64_t group)
{
	uint32_t id[LIMIT_NODES];
	struct quorum_input in = { .kind = QUORUM_IN_GROUP };

	in.group.node = id;
	in.group.node_count = list(w, group, id);
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		if (!(side & BIT(i)))
			continue;
		in.group.pos =
		    (struct parse_pos){ w->node[i].view, ++w->node[i].seq, 0 };
		step(w, i, &in);
	}
}

static void
tell_view(struct quorumd_simulate_world *w, size_t i, uint64_t side,
    uint64_t before, uint64_t leaver)
{
	uint32_t member[LIMIT_NODES], along[LIMIT_NODES], gone[LIMIT_NODES];
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };

	in.view.id = w->node[i].view;
	in.view.member = member;
	in.view.member_count = list(w, side, member);
	in.view.along = along;
	in.view.along_count = list(w, side & before, along);
	in.view.leaver = gone;
	in.view.leaver_count = list(w, before & ~side & leaver, gone);
	step(w, i, &in);
}

/* These nodes, which are up, become one view. */
static void
install(struct quorumd_simulate_world *w, uint64_t side, uint64_t leaver)
{
	struct parse_view view = { 0, 0 };
	uint64_t before[LIMIT_NODES];
	struct parse_view from[LIMIT_NODES];

	for (size_t i = w->cfg.node_count; i-- > 0;)
		if (side & BIT(i)) {
			view.rep = w->cfg.node[i].id;
			view.seq = num_max(view.seq, w->node[i].ring_seq + 1);
			from[i] = w->node[i].view;
		}
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		before[i] = BIT(i);
		for (size_t j = 0; j < w->cfg.node_count; j++)
			if ((side & BIT(i)) && (w->node[i].side & BIT(j)) &&
			    (!(side & BIT(j)) ||
				is_same_view(from[i], from[j])))
				before[i] |= BIT(j);
	}
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		if (!(side & BIT(i)))
			continue;
		w->node[i].view = view;
		w->node[i].ring_seq = view.seq;
		w->node[i].seq = 0;
		w->node[i].side = side;
	}
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (side & BIT(i))
			tell_view(w, i, side, before[i], leaver);
	tell_group(w, side, side);
}

/* ---- what a script can do ---------------------------------------------- */

/* What it counts by: as its record says, else as the file does. */
static void
open_record(
    struct quorumd_simulate_world *w, size_t i, struct quorum_config *cfg)
{
	struct node *node = &w->node[i];
	struct text out;

	if (w->has_records && node->record_len > 0) {
		if (!quorum_record_read(cfg, node->record, node->record_len))
			abort();
		return;
	}
	text_init(&out, node->record, sizeof node->record);
	quorum_record_begin(cfg, &out);
	node->record_len = out.len;
}

static void
spawn(struct quorumd_simulate_world *w, size_t i, bool is_again)
{
	struct node *node = &w->node[i];
	struct quorum_config cfg = w->file;
	struct quorum_input in = { .kind = QUORUM_IN_CONFIG };
	struct arena arena;

	cfg.self = w->cfg.node[i].id;
	cfg.tracked = node->tracked;
	open_record(w, i, &cfg);
	arena_init(&arena, node->memory, SIZE_MAX / 2);
	node->core = quorum_create(&arena, &cfg,
	    is_again && node->kept_len > 0 ? node->kept : NULL,
	    is_again ? node->kept_len : 0);
	if (!is_again)
		node->kept_len = 0;
	quorum_record_recall(node->core, node->record, node->record_len, true);
	in.config = &w->file;
	if (quorum_config_version(&cfg) != quorum_config_version(&w->file))
		step(w, i, &in);
}

void
quorumd_simulate_keep_records(struct quorumd_simulate_world *w)
{
	w->has_records = true;
}

void
quorumd_simulate_slow_disks(struct quorumd_simulate_world *w, uint64_t set)
{
	const uint64_t done = w->slow_disks & ~set;

	w->slow_disks = set;
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		struct quorum_input in = { .kind = QUORUM_IN_RECORDED,
			.recorded = w->node[i].record_no };

		if (done & w->up & BIT(i))
			step(w, i, &in);
	}
	settle(w);
}

void
quorumd_simulate_set_record(
    struct quorumd_simulate_world *w, size_t node, const char *record)
{
	w->node[node].record_len = strlen(record);
	memcpy(w->node[node].record, record, strlen(record) + 1);
}

void
quorumd_simulate_start(struct quorumd_simulate_world *w, uint64_t set)
{
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		if (!(set & BIT(i)) || (w->up & BIT(i)))
			continue;
		spawn(w, i, false);
		w->up |= BIT(i);
		w->node[i].side = 0;
		w->node[i].view = (struct parse_view){ 0, 0 };
		install(w, BIT(i), 0);
	}
	settle(w);
}

void
quorumd_simulate_stop(
    struct quorumd_simulate_world *w, uint64_t set, bool is_clean)
{
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		struct quorum_input in = { .kind = QUORUM_IN_LEAVE };
		uint64_t side = w->node[i].side & ~BIT(i);

		if (!(set & w->up & BIT(i)))
			continue;
		if (is_clean) {
			step(w, i, &in);
			settle(w);
		}
		w->up &= ~BIT(i);
		w->node[i].core = NULL;
		w->node[i].side = 0;
		if (side != 0)
			install(w, side, is_clean ? BIT(i) : 0);
		settle(w);
	}
}

void
quorumd_simulate_respawn(struct quorumd_simulate_world *w, size_t i)
{
	uint64_t side = w->node[i].side;

	if (!(w->up & BIT(i)))
		return;
	w->node[i].core = NULL;
	tell_group(w, side, side & ~BIT(i));
	settle(w);
	spawn(w, i, true);
	tell_view(w, i, side, BIT(i), 0);
	tell_group(w, side, side);
	settle(w);
}

void
quorumd_simulate_cut(
    struct quorumd_simulate_world *w, const uint64_t *side, size_t count)
{
	uint64_t rest = w->up;

	for (size_t k = 0; k < count; k++) {
		uint64_t set = side[k] & rest;
		bool is_as_it_was = true;

		rest &= ~set;
		for (size_t i = 0; i < w->cfg.node_count; i++)
			if ((set & BIT(i)) && w->node[i].side != set)
				is_as_it_was = false;
		if (!is_as_it_was)
			install(w, set, 0);
	}
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if ((rest & BIT(i)) && w->node[i].side != BIT(i))
			install(w, BIT(i), 0);
	settle(w);
}

static bool
add_node(
    struct quorumd_simulate_world *w, const struct quorum_config_node *node)
{
	const size_t i = w->cfg.node_count;
	struct arena measure;

	arena_init(&measure, NULL, 0);
	(void)quorum_create(&measure, &w->file, NULL, 0); /* only its size */
	w->node[i].memory =
	    aligned_alloc(64, num_round_up(measure.used_bytes + 64, 64));
	w->cfg.node[i] = *node;
	w->cfg.node_count += w->node[i].memory != NULL;
	return w->node[i].memory != NULL;
}

bool
quorumd_simulate_reload(struct quorumd_simulate_world *w,
    const struct quorum_config *next, uint64_t set)
{
	struct quorum_input in = { .kind = QUORUM_IN_CONFIG, .config = next };

	w->file = *next;
	for (size_t i = 0; i < next->node_count; i++) {
		const uint32_t id = next->node[i].id;

		if (id > w->cfg.node[w->cfg.node_count - 1].id &&
		    !add_node(w, &next->node[i]))
			return false;
	}
	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (set & w->up & BIT(i))
			step(w, i, &in);
	settle(w);
	return true;
}

static uint64_t
next_deadline_ns(const struct quorumd_simulate_world *w)
{
	uint64_t deadline = UINT64_MAX;

	for (size_t i = 0; i < w->cfg.node_count; i++)
		if (w->up & BIT(i))
			deadline = num_min(
			    deadline, quorum_deadline_ns(w->node[i].core));
	return deadline;
}

void
quorumd_simulate_wait(struct quorumd_simulate_world *w, uint64_t ns)
{
	uint64_t end_ns = w->now_ns + ns;

	for (;;) {
		uint64_t deadline_ns = next_deadline_ns(w);

		if (deadline_ns > end_ns)
			break;
		w->now_ns = num_max(w->now_ns, deadline_ns);
		for (size_t i = 0; i < w->cfg.node_count; i++) {
			struct quorum_input in = { .kind = QUORUM_IN_TIME };

			if ((w->up & BIT(i)) &&
			    quorum_deadline_ns(w->node[i].core) <= w->now_ns)
				step(w, i, &in);
		}
		settle(w);
	}
	w->now_ns = end_ns;
	for (size_t i = 0; i < w->cfg.node_count; i++) {
		struct quorum_input in = { .kind = QUORUM_IN_TIME };

		if (w->up & BIT(i))
			step(w, i, &in);
	}
	settle(w);
}

enum quorum_answer
quorumd_simulate_ask(struct quorumd_simulate_world *w, size_t node,
    struct quorum_input *in, const char **text)
{
	w->has_answer = false;
	w->answer = QUORUM_ANSWER_AGAIN;
	w->answer_text = "the node is down";
	if (w->up & BIT(node)) {
		if (in->kind == QUORUM_IN_VOTE)
			in->vote.view = w->node[node].view;
		step(w, node, in);
		settle(w);
	}
	*text = w->answer_text;
	return w->answer;
}

uint64_t
quorumd_simulate_up(const struct quorumd_simulate_world *w)
{
	return w->up;
}

uint64_t
quorumd_simulate_side(const struct quorumd_simulate_world *w, size_t node)
{
	return w->node[node].side;
}

const struct quorum *
quorumd_simulate_core(const struct quorumd_simulate_world *w, size_t node)
{
	return w->node[node].core;
}
