/* SPDX-License-Identifier: BSD-3-Clause */
/* Cores over a ring that is cut anywhere: never two sides with quorum.
 *
 * The ring here keeps the promises of extended virtual synchrony and no
 * other.  A message is delivered in the regular phase only when every member
 * of its view holds it; when a view ends, those who go on together deliver
 * the same in the same phase, some of it transitional; a new view may reach
 * some of its members and never the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"

enum { NODES = 7, VIEWS = 400, MAILS = 200, STEPS = 600 };
#define BIT(i) ((uint64_t)1 << (i))

struct mail {
	size_t sender; /* NODES: the group is complete */
	size_t len;
	char *bytes;
};

struct view {
	struct parse_view id;
	uint64_t members;
	uint64_t installed; /* at some time */
	bool is_live;       /* its members still hear each other */
	struct mail mail[MAILS];
	size_t count;
	size_t stable; /* so many are held by all */
};

struct node {
	struct quorum *core;
	void *memory;
	size_t view; /* installed; VIEWS: none */
	size_t delivered;
	size_t pending; /* will be installed; VIEWS: none */
	uint64_t along; /* who comes from the same view */
	size_t regular; /* of the old view, in the regular phase */
	size_t total;   /* in all */
	uint64_t ring_seq;
};

static struct view views[VIEWS];
static struct node nodes[NODES];
static size_t view_count, node_count;
static uint64_t now_ns;

/*
 * The file: as it is now, and as it was agreed on last; each node reads it in
 * its own time.
 */
static struct quorum_config file, agreed;
static unsigned file_no, agreed_no;
static unsigned read_no[NODES]; /* which one this node has read */
static uint64_t on;             /* machines that run */
static uint64_t removed;        /* for good */
static bool has_reloads, has_early;
static unsigned reloads, agreements, early, remembered;

/* What is on the disk of a machine, and what its core wants to be there. */
struct disk {
	char bytes[QUORUM_MESSAGE_BYTES_MAX], wanted[QUORUM_MESSAGE_BYTES_MAX];
	size_t len, wanted_len;
	uint64_t no; /* of what is wanted; 0: nothing */
};
static struct disk disks[NODES];
static struct rng rng;

static uint64_t
below(uint64_t bound)
{
	return rng_below(&rng, bound);
}

/* ---- the ring ---------------------------------------------------------- */

static void
post(size_t i, const struct quorum_effect *effect)
{
	struct view *view = &views[nodes[i].view];
	struct mail *mail = &view->mail[view->count];

	if (!view->is_live || view->count == MAILS ||
	    effect->publish.if_view.rep != view->id.rep ||
	    effect->publish.if_view.seq != view->id.seq)
		return;
	mail->sender = i;
	mail->len = effect->publish.len;
	mail->bytes = malloc(mail->len);
	if (mail->bytes == NULL)
		abort();
	memcpy(mail->bytes, effect->publish.bytes, mail->len);
	view->count++;
}

static void
step(size_t i, struct quorum_input *in)
{
	struct quorum_effect effect;

	in->now_ns = now_ns;
	quorum_step(nodes[i].core, in);
	while (quorum_next(nodes[i].core, &effect))
		if (effect.kind == QUORUM_OUT_PUBLISH) {
			post(i, &effect);
		} else if (effect.kind == QUORUM_OUT_RECORD) {
			disks[i].no = effect.record.no;
			disks[i].wanted_len = effect.record.len;
			memcpy(disks[i].wanted, effect.record.bytes,
			    effect.record.len);
		}
	quorum_check(nodes[i].core);
	if (!quorum_is_pending(nodes[i].core) && read_no[i] == file_no &&
	    nodes[i].core->memory.now.stamp.view.seq != 0 &&
	    nodes[i].core->memory.now.config == nodes[i].core->version) {
		agreements += agreed_no != file_no;
		agreed_no = file_no;
		agreed = file;
	}
}

static size_t
list(uint64_t set, uint32_t *id)
{
	size_t count = 0;

	for (size_t i = 0; i < node_count; i++)
		if (set & BIT(i))
			id[count++] = (uint32_t)i + 1;
	return count;
}

static void
deliver(size_t i, bool is_transitional)
{
	struct node *node = &nodes[i];
	const struct view *view = &views[node->view];
	const struct mail *mail = &view->mail[node->delivered++];
	struct parse_pos pos = { view->id, node->delivered, 0 };
	struct quorum_input in = { .kind = QUORUM_IN_MESSAGE };
	uint32_t id[NODES];

	if (mail->sender == NODES) {
		in.kind = QUORUM_IN_GROUP;
		in.group.node = id;
		in.group.node_count = list(view->members, id);
		in.group.pos = pos;
	} else {
		in.message.sender = (uint32_t)mail->sender + 1;
		in.message.pos = pos;
		in.message.is_transitional = is_transitional;
		in.message.bytes = mail->bytes;
		in.message.len = mail->len;
	}
	step(i, &in);
}

static void
install(size_t i)
{
	struct node *node = &nodes[i];
	uint32_t member[NODES], along[NODES];
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	struct view *next = &views[node->pending];

	while (node->view < VIEWS && node->delivered < node->total)
		deliver(i, node->delivered >= node->regular);
	node->view = node->pending;
	node->pending = VIEWS;
	node->delivered = 0;
	node->ring_seq = next->id.seq;
	next->installed |= BIT(i);
	in.view.id = next->id;
	in.view.member = member;
	in.view.member_count = list(next->members, member);
	in.view.along = along;
	in.view.along_count = list(node->along, along);
	step(i, &in);
}

/* Those of a part who come from one view deliver the same of it. */
static void
cut_view(size_t from, uint64_t together)
{
	const struct view *view = &views[from];
	size_t least = 0, regular, total;

	for (size_t i = 0; i < node_count; i++)
		if (together & BIT(i))
			least = num_max(least, nodes[i].delivered);
	regular = least + below(num_sub(view->stable, least) + 1);
	total = view->stable + below(view->count - view->stable + 1);
	for (size_t i = 0; i < node_count; i++) {
		if (!(together & BIT(i)))
			continue;
		nodes[i].along = together;
		nodes[i].regular = regular;
		nodes[i].total = num_max(regular, total);
	}
}

static void
form(uint64_t part)
{
	struct view *view = &views[view_count];
	uint64_t left = part;

	memset(view, 0, sizeof *view);
	view->members = part;
	view->is_live = true;
	view->mail[0].sender = NODES;
	view->count = 1;
	for (size_t i = node_count; i-- > 0;)
		if (part & BIT(i)) {
			view->id.rep = (uint32_t)i + 1;
			view->id.seq =
			    num_max(view->id.seq, nodes[i].ring_seq + 1);
		}
	for (size_t i = 0; i < node_count; i++) {
		uint64_t together = 0;

		if (!(left & BIT(i)))
			continue;
		for (size_t j = i; j < node_count; j++)
			if ((left & BIT(j)) && nodes[j].view == nodes[i].view)
				together |= BIT(j);
		left &= ~together;
		nodes[i].along = together;
		if (nodes[i].view < VIEWS) {
			views[nodes[i].view].is_live = false;
			cut_view(nodes[i].view, together);
		}
	}
	for (size_t i = 0; i < node_count; i++)
		if (part & BIT(i)) {
			if (nodes[i].pending < VIEWS)
				views[nodes[i].pending].is_live = false;
			nodes[i].pending = view_count;
			nodes[i].ring_seq = view->id.seq;
		}
	view_count++;
}

/* ---- chaos ------------------------------------------------------------- */

static void
cut(void)
{
	uint64_t part[NODES] = { 0 };
	uint64_t sides = 1 + below(below(2) ? 3 : 2);

	if (view_count + NODES >= VIEWS)
		return;
	for (size_t i = 0; i < node_count; i++)
		if (on & BIT(i))
			part[below(sides)] |= BIT(i);
	for (size_t k = 0; k < sides; k++)
		if (part[k] != 0)
			form(part[k]);
}

/* ---- reload ------------------------------------------------------------ */

static size_t
find(const struct quorum_config *cfg, size_t i)
{
	size_t k = 0;

	while (k < cfg->node_count && cfg->node[k].id != i + 1)
		k++;
	return k;
}

/* The disk has done it. */
static void
sync_disk(size_t i)
{
	struct quorum_input in = { .kind = QUORUM_IN_RECORDED,
		.recorded = disks[i].no };

	if (disks[i].no == 0)
		return;
	disks[i].no = 0;
	disks[i].len = disks[i].wanted_len;
	memcpy(disks[i].bytes, disks[i].wanted, disks[i].len);
	step(i, &in);
}

static void
start(size_t i, const struct quorum_config *cfg)
{
	struct quorum_config own = *cfg;
	void *memory = nodes[i].memory;
	struct arena arena;

	arena_init(&arena, NULL, 0);
	(void)quorum_create(&arena, cfg, NULL, 0); /* its size */
	if (memory == NULL)
		memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	if (memory == NULL)
		abort();
	arena_init(&arena, memory, SIZE_MAX / 2);
	own.self = (uint32_t)i + 1;
	nodes[i] = (struct node){ .memory = memory,
		.core = quorum_create(&arena, &own, NULL, 0),
		.view = VIEWS,
		.pending = VIEWS,
		.ring_seq = nodes[i].ring_seq };
	on |= BIT(i);
	disks[i].no = 0;
	if (disks[i].len == 0) {
		struct text out;

		text_init(&out, disks[i].bytes, sizeof disks[i].bytes);
		quorum_record_begin(&own, &out);
		disks[i].len = out.len;
	}
	quorum_record_recall(nodes[i].core, disks[i].bytes, disks[i].len, true);
}

/* A machine that was here before, with whatever file there is now. */
static bool
start_again(size_t i)
{
	struct quorum_config own = file;
	struct quorum_input in = { .kind = QUORUM_IN_CONFIG, .config = &file };

	if (disks[i].len == 0 || find(&file, i) == file.node_count)
		return false;
	CHECK(quorum_record_read(&own, disks[i].bytes, disks[i].len));
	start(i, &own);
	read_no[i] = file_no;
	remembered +=
	    quorum_config_version(&own) != quorum_config_version(&file);
	step(i, &in);
	return true;
}

/* The views of a machine that goes come to an end. */
static void
stop(size_t i)
{
	uint64_t rest = 0;

	if (!(on & BIT(i)) || view_count + 1 >= VIEWS)
		return;
	for (size_t k = 0; k < node_count; k++)
		if ((on & BIT(k)) && k != i &&
		    ((nodes[k].view < VIEWS &&
			 nodes[k].view == nodes[i].view) ||
			(nodes[k].pending < VIEWS &&
			    nodes[k].pending == nodes[i].pending)))
			rest |= BIT(k);
	on &= ~BIT(i);
	if (nodes[i].view < VIEWS)
		views[nodes[i].view].is_live = false;
	if (nodes[i].pending < VIEWS)
		views[nodes[i].pending].is_live = false;
	nodes[i].view = nodes[i].pending = VIEWS;
	if (rest != 0)
		form(rest);
}

static void
add_or_remove(struct quorum_config *cfg, size_t i)
{
	size_t at = find(cfg, i);
	size_t k = cfg->node_count;

	if (at < k && !(on & BIT(i)) && k > 2) {
		memmove(&cfg->node[at], &cfg->node[at + 1],
		    (k - at - 1) * sizeof cfg->node[0]);
		cfg->node_count--;
	} else if (at == k && !(removed & BIT(i))) {
		for (; k > 0 && cfg->node[k - 1].id > i + 1; k--)
			cfg->node[k] = cfg->node[k - 1];
		cfg->node[k].id = (uint32_t)i + 1;
		cfg->node[k].votes = 1;
		snprintf(
		    cfg->node[k].name, sizeof cfg->node[k].name, "n%zu", i + 1);
		cfg->node_count++;
	}
}

/* Somebody changes the file. */
static void
edit(void)
{
	struct quorum_config next = file;
	char why[QUORUM_TEXT_BYTES];
	size_t i = below(node_count);
	struct text text;

	if (below(2) || next.last_man_standing)
		add_or_remove(&next, i);
	else
		next.node[below(next.node_count)].votes =
		    1 + (uint32_t)below(3);
	text_init(&text, why, sizeof why);
	if (quorum_config_mistake(&next, 0, &text) ||
	    quorum_config_clash(&file, &next, 0, &text))
		return;
	for (size_t k = 0; k < node_count; k++)
		if (find(&file, k) < file.node_count &&
		    find(&next, k) == next.node_count)
			removed |= BIT(k);
	file = next;
	file_no++;
}

/*
 * Once a run somebody starts with a file that is not agreed on, among some who
 * run with another, and is not enough alone.
 */
static bool
start_early(size_t i)
{
	const size_t with = below(node_count);
	const size_t place = find(&file, i);
	uint64_t side = BIT(i);

	if (has_early || file_no == agreed_no || place == file.node_count ||
	    !(on & BIT(with)) || nodes[with].view == VIEWS ||
	    view_count + 1 >= VIEWS ||
	    file.node[place].votes > quorum_config_node_votes(&file) / 2)
		return false;
	for (size_t k = 0; k < node_count; k++)
		if ((on & BIT(k)) && nodes[k].view == nodes[with].view)
			side |= BIT(k);
	start(i, &file);
	read_no[i] = file_no;
	form(side);
	has_early = true;
	early++;
	return true;
}

static void
reload(void)
{
	size_t i = below(node_count);
	struct quorum_input in = { .kind = QUORUM_IN_CONFIG, .config = &file };

	if (below(12) == 0) {
		edit();
	} else if (below(12) == 0 && !file.last_man_standing &&
	    file.auto_tie_breaker == QUORUM_TIE_NO) {
		stop(i);
	} else if (!(on & BIT(i)) && !(removed & BIT(i)) &&
	    (start_again(i) || start_early(i))) {
		return;
	} else if (!(on & BIT(i)) && !(removed & BIT(i)) &&
	    find(&agreed, i) < agreed.node_count) {
		start(i, &agreed);
		read_no[i] = 0;
	} else if ((on & BIT(i)) && read_no[i] != file_no &&
	    find(&file, i) < file.node_count) {
		read_no[i] = file_no;
		reloads++;
		step(i, &in);
	}
}

static void
pass_time(void)
{
	now_ns += below(4) == 0 ? UINT64_C(11000000000) : 50000000;
	for (size_t i = 0; i < node_count; i++) {
		struct quorum_input in = { .kind = QUORUM_IN_TIME };

		if (nodes[i].view < VIEWS && (on & BIT(i)) &&
		    quorum_deadline_ns(nodes[i].core) <= now_ns)
			step(i, &in);
	}
}

static void
move(size_t i)
{
	struct node *node = &nodes[i];
	struct view *view = node->view < VIEWS ? &views[node->view] : NULL;

	if (!(on & BIT(i)))
		return;
	if (below(4) == 0)
		sync_disk(i);
	if (node->pending < VIEWS && below(3) == 0) {
		install(i);
		return;
	}
	if (view == NULL)
		return;
	if (view->is_live && view->installed == view->members &&
	    view->stable < view->count)
		view->stable++;
	if (node->delivered <
	    (node->pending < VIEWS ? node->regular : view->stable))
		deliver(i, false);
}

/* The views in which a node says yes and all who count for it are there. */
static unsigned
count_sides(void)
{
	unsigned count = 0;
	uint64_t seen = 0; /* nodes whose view was counted */

	for (size_t i = 0; i < node_count; i++) {
		uint64_t side, here = 0;

		if (nodes[i].view == VIEWS || (seen & BIT(i)) ||
		    !quorum_judge_is_quorate(nodes[i].core))
			continue;
		side = quorum_judge_side(nodes[i].core);
		for (size_t j = 0; j < node_count; j++)
			if (nodes[j].view == nodes[i].view)
				here |= BIT(j);
		if ((side & ~here) != 0)
			continue;
		seen |= here;
		count++;
	}
	return count;
}

static void
draw_config(struct quorum_config *cfg)
{
	char why[QUORUM_TEXT_BYTES];
	struct text text;

	do {
		quorum_config_init(cfg);
		cfg->self = 1;
		cfg->node_count =
		    has_reloads ? 2 + below(3) : 3 + below(NODES - 2);
		for (size_t i = 0; i < cfg->node_count; i++) {
			cfg->node[i].id = (uint32_t)i + 1;
			cfg->node[i].votes = 1;
			snprintf(cfg->node[i].name, sizeof cfg->node[i].name,
			    "n%zu", i + 1);
		}
		cfg->wait_for_all = (enum quorum_wait)below(3);
		cfg->last_man_standing = below(3) > 0;
		cfg->auto_tie_breaker = (enum quorum_tie)below(3);
		text_init(&text, why, sizeof why);
	} while (quorum_config_mistake(cfg, 0, &text));
	node_count = has_reloads ? NODES : cfg->node_count;
}

static void
begin(uint64_t seed)
{
	rng_init(&rng, seed);
	draw_config(&file);
	agreed = file;
	file_no = agreed_no = 0;
	on = removed = 0;
	has_early = false;
	view_count = 0;
	now_ns = 1;
	for (size_t i = 0; i < node_count; i++) {
		nodes[i] = (struct node){ .memory = nodes[i].memory,
			.view = VIEWS,
			.pending = VIEWS };
		read_no[i] = 0;
		disks[i].len = disks[i].no = 0;
		if (find(&file, i) < file.node_count)
			start(i, &file);
	}
}

static void
end(void)
{
	for (size_t v = 0; v < view_count; v++)
		for (size_t m = 0; m < views[v].count; m++) {
			free(views[v].mail[m].bytes);
			views[v].mail[m].bytes = NULL;
		}
}

/* How often there was quorum at all: chaos that stops everything shows
 * nothing. */
static unsigned quorate, two_sides, unfinished;

static bool
run(uint64_t seed)
{
	bool is_good = true;

	begin(seed);
	form(on);
	for (unsigned k = 0; k < STEPS && is_good; k++) {
		unsigned sides;

		if (below(60) == 0)
			cut();
		else if (below(20) == 0)
			pass_time();
		else
			for (unsigned n = 0; n < 4; n++)
				move(below(node_count));
		if (has_reloads && below(3) == 0)
			reload();
		sides = count_sides();
		quorate += sides > 0;
		if (sides > 1) {
			printf("seed %llu: two sides after %u steps\n",
			    (unsigned long long)seed, k);
			two_sides++;
			is_good = false;
		}
		for (size_t i = 0; i < node_count; i++)
			unfinished += (on & BIT(i)) &&
			    nodes[i].core->memory.maybe_count > 0;
	}
	end();
	return is_good;
}

static void
run_all(uint64_t otherwise)
{
	const char *first = getenv("QUORUM_SEED");
	const char *count = getenv("QUORUM_SEEDS");
	uint64_t seed = first != NULL ? strtoull(first, NULL, 10) : 1;
	uint64_t seeds = count != NULL ? strtoull(count, NULL, 10) : otherwise;

	quorate = unfinished = 0;
	for (uint64_t s = seed; s < seed + seeds; s++)
		CHECK(run(s));
	CHECK(quorate > seeds * STEPS / 20);
	CHECK(unfinished > 0);
	for (size_t i = 0; i < NODES; i++) {
		free(nodes[i].memory);
		nodes[i].memory = NULL;
	}
}

static void
no_two_sides(void)
{
	has_reloads = false;
	run_all(1500);
}

/* Files that change, read by each in its own time; machines come and go. */
static void
no_two_sides_by_reload(void)
{
	has_reloads = true;
	reloads = agreements = early = remembered = 0;
	run_all(1500);
	CHECK(agreements > reloads / 20);
	CHECK(early > 0);
	CHECK(remembered > 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(no_two_sides),
		CHECK_TEST(no_two_sides_by_reload),
	};
	return CHECK_MAIN(argc, argv, tests);
}
