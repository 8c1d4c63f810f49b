/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/storestep.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/replica_disk.h"

#define MS_NS UINT64_C(1000000)

enum {
	MESSAGES = 256,
	ASKED_MAX = 1024,
	SPARE_BYTES = 16 << 10,
	TICK_MS = 10,
	SETTLES_MAX = 100000, /* messages, before nothing more happens */
};

struct message {
	uint32_t sender;
	uint8_t *bytes;
	size_t len;
};

struct node {
	uint32_t id;
	uint64_t inc, run;
	struct replica *replica;
	void *memory;
	struct replica_disk *disk;
	bool is_dirty, is_held;
	struct kv_writer lent;
	bool is_lent_due;
	bool is_member;
	unsigned saves;
	bool is_unsaved; /* to be told */
	struct kv_tip unsaved;
};

static struct game {
	unsigned count, voters;
	enum kv_tie tie;
	uint64_t now_ns;
	struct parse_view view;
	uint64_t places; /* in the view's order */
	bool is_held, fails_saves, holds_saves;
	struct node node[STORESTEP_NODES];
	struct message message[MESSAGES];
	size_t first, end;
	uint64_t cookies;
	struct storestep_answer answer[ASKED_MAX]; /* by cookie */
} g;

/* ---- one step ---------------------------------------------------------- */

static void
publish(struct node *n, const struct replica_effect *effect)
{
	struct message *m = &g.message[g.end++ % MESSAGES];

	ENSURE(g.end - g.first <= MESSAGES);
	if (!n->is_member || effect->publish.if_view.seq != g.view.seq) {
		g.end--;
		return;
	}
	m->sender = n->id;
	m->bytes = malloc(effect->publish.len);
	ENSURE(m->bytes != NULL);
	memcpy(m->bytes, effect->publish.bytes, effect->publish.len);
	m->len = effect->publish.len;
}

static void
note_answer(const struct replica_effect *effect)
{
	g.answer[effect->answer.cookie % ASKED_MAX] =
	    (struct storestep_answer){ .code = effect->answer.code,
		    .rev = effect->answer.rev,
		    .key_rev = effect->answer.key_rev,
		    .at = effect->answer.at,
		    .changed = effect->answer.changed };
}

/* false: it is for the disk. */
static bool
take_save(struct node *n, const struct replica_effect *effect)
{
	CHECK(!n->replica->is_kv_void); /* half of it is no state */
	n->saves++;
	n->is_unsaved = g.fails_saves;
	n->unsaved = effect->save.tip;
	n->is_dirty = true;
	return g.fails_saves;
}

static void
step(struct node *n, struct replica_input *in)
{
	struct replica_effect effect;

	in->now_ns = g.now_ns;
	replica_step(n->replica, in);
	while (replica_next(n->replica, &effect)) {
		ENSURE(effect.kind != REPLICA_OUT_RELOAD);
		if (effect.kind == REPLICA_OUT_PUBLISH)
			publish(n, &effect);
		else if (effect.kind == REPLICA_OUT_LEND)
			kv_writer_init(&n->lent, replica_kv(n->replica));
		else if (effect.kind == REPLICA_OUT_LEND_NEXT)
			n->is_lent_due = true;
		else if (effect.kind == REPLICA_OUT_ANSWER)
			note_answer(&effect);
		else if (effect.kind == REPLICA_OUT_SAVE &&
		    take_save(n, &effect))
			continue;
		else if (replica_disk_take(
			     n->disk, &effect, replica_kv(n->replica)))
			n->is_dirty = true;
	}
	replica_check(n->replica);
}

/* ---- what has to be done at once --------------------------------------- */

static bool
work_disk(struct node *n)
{
	struct replica_input in = { .kind = REPLICA_IN_ROOM };

	if (!n->is_dirty || g.is_held || n->is_held)
		return false;
	n->is_dirty = false;
	replica_disk_sync(n->disk, SIZE_MAX);
	in.room = replica_disk_room(n->disk);
	step(n, &in);
	in.kind = REPLICA_IN_SYNCED;
	if (replica_disk_synced(n->disk, &in.tip))
		step(n, &in);
	in.kind = REPLICA_IN_SAVED;
	if (!g.holds_saves && replica_disk_save(n->disk, &in.tip))
		step(n, &in);
	in.kind = REPLICA_IN_UNSAVED;
	in.tip = n->unsaved;
	if (n->is_unsaved) {
		n->is_unsaved = false;
		step(n, &in);
	}
	return true;
}

/* The state stands still meanwhile: nobody writes. */
static bool
lend(struct node *n)
{
	static uint8_t chunk[REPLICA_CHUNK_BYTES_MAX];
	struct replica_input in = { .kind = REPLICA_IN_LENT };

	if (!n->is_lent_due)
		return false;
	n->is_lent_due = false;
	in.lent.bytes = chunk;
	in.lent.len = kv_writer_next(&n->lent, chunk, sizeof chunk);
	step(n, &in);
	return true;
}

static bool
deliver(void)
{
	struct replica_input in = { .kind = REPLICA_IN_MESSAGE };
	struct message m;

	if (g.first == g.end)
		return false;
	m = g.message[g.first++ % MESSAGES];
	in.message.sender = m.sender;
	in.message.pos.view = g.view;
	in.message.pos.seq = ++g.places;
	in.message.bytes = m.bytes;
	in.message.len = m.len;
	for (unsigned i = 0; i < g.count; i++)
		if (g.node[i].is_member)
			step(&g.node[i], &in);
	free(m.bytes);
	return true;
}

static void
settle(void)
{
	uint64_t last = g.places + SETTLES_MAX;
	bool is_busy;

	do {
		is_busy = deliver();
		ENSURE(g.places < last);
		for (unsigned i = 0; i < g.count; i++) {
			is_busy = lend(&g.node[i]) || is_busy;
			is_busy = work_disk(&g.node[i]) || is_busy;
		}
	} while (is_busy);
}

static void
drop_messages(void)
{
	while (g.first < g.end)
		free(g.message[g.first++ % MESSAGES].bytes);
}

/* ---- nodes and views --------------------------------------------------- */

static void
make(struct node *n)
{
	struct replica_config cfg;
	struct arena arena;
	size_t size;

	replica_config_init(&cfg);
	cfg.self = n->id;
	cfg.node_count = g.voters;
	for (unsigned i = 0; i < g.voters; i++)
		cfg.node[i] = (struct kv_voter){ i + 1, 1 };
	cfg.tie = g.tie;
	cfg.run = ++n->run;
	cfg.seed = 7;
	cfg.kv =
	    (struct kv_config){ { 64, 1 << 20, STORESTEP_VALUE_BYTES_MAX, 8 },
		    64, 1 << 20 };
	cfg.message_bytes_max = STORESTEP_MESSAGE_BYTES_MAX;
	cfg.window_bytes = 1 << 20;
	cfg.queue_bytes = 8192;
	cfg.snapshot_bytes = STORESTEP_SNAPSHOT_BYTES;
	arena_init(&arena, NULL, 0);
	(void)replica_create(&arena, &cfg);
	size = num_round_up(arena.used_bytes + SPARE_BYTES, 64);
	if (n->memory == NULL)
		n->memory = aligned_alloc(64, size);
	ENSURE(n->memory != NULL);
	arena_init(&arena, n->memory, size);
	n->replica = replica_create(&arena, &cfg);
	n->is_dirty = true;
	replica_disk_load(n->disk, n->replica);
}

static void
tell_view(struct node *n, unsigned set)
{
	struct replica_input view = { .kind = REPLICA_IN_VIEW };
	struct replica_input group = { .kind = REPLICA_IN_GROUP };
	uint32_t id[STORESTEP_NODES];
	uint64_t inc[STORESTEP_NODES];
	size_t count = 0;

	for (unsigned i = 0; i < g.count; i++) {
		if ((set >> i & 1) == 0)
			continue;
		inc[count] = g.node[i].inc;
		id[count++] = i + 1;
	}
	view.view.id = g.view;
	view.view.member = id;
	view.view.inc = inc;
	view.view.member_count = count;
	step(n, &view);
	group.group.node = id;
	group.group.node_count = count;
	group.group.pos.view = g.view;
	group.group.pos.seq = 1;
	step(n, &group);
}

void
storestep_view(unsigned set)
{
	struct replica_input end = { .kind = REPLICA_IN_TRANSITIONAL };
	struct replica_input lost = { .kind = REPLICA_IN_LOST };

	drop_messages();
	for (unsigned i = 0; i < g.count; i++) {
		struct node *n = &g.node[i];
		bool stays = set >> i & 1;

		if (n->is_member)
			step(n, stays ? &end : &lost);
		n->is_member = stays;
	}
	g.view.rep = 1;
	g.view.seq++;
	g.places = 1;
	for (unsigned i = 0; i < g.count; i++)
		if (g.node[i].is_member)
			tell_view(&g.node[i], set);
	settle();
}

static void
begin_anew(struct node *n, size_t kept)
{
	n->is_member = n->is_lent_due = false;
	replica_disk_crash(n->disk, kept);
	make(n);
	settle();
}

void
storestep_restart(uint32_t node)
{
	begin_anew(&g.node[node - 1], SIZE_MAX);
}

void
storestep_crash(uint32_t node)
{
	g.node[node - 1].inc++;
	begin_anew(&g.node[node - 1], 0);
}

void
storestep_fence(uint32_t node, uint32_t about, uint64_t inc)
{
	struct replica_input in = { .kind = REPLICA_IN_FENCED };

	in.fenced.node = about;
	in.fenced.inc = inc;
	step(&g.node[node - 1], &in);
	settle();
}

void
storestep_hold_disks(bool is_held)
{
	g.is_held = is_held;
	settle();
}

void
storestep_hold_disk(uint32_t node, bool is_held)
{
	g.node[node - 1].is_held = is_held;
	settle();
}

void
storestep_fail_saves(bool is_failing)
{
	g.fails_saves = is_failing;
}

void
storestep_hold_saves(bool is_holding)
{
	g.holds_saves = is_holding;
	for (unsigned i = 0; i < g.count; i++)
		g.node[i].is_dirty = true;
	settle();
}

unsigned
storestep_saves(uint32_t node)
{
	return g.node[node - 1].saves;
}

void
storestep_fill_disk(uint32_t node, bool is_full)
{
	struct replica_input in = { .kind = is_full ? REPLICA_IN_FULL
						    : REPLICA_IN_SPACE };

	step(&g.node[node - 1], &in);
	settle();
}

static void
begin(unsigned count, unsigned voters, enum kv_tie tie)
{
	memset(&g, 0, sizeof g);
	g.count = count;
	g.voters = voters;
	g.tie = tie;
	g.now_ns = 1000 * MS_NS;
	g.view.seq = 10;
	for (unsigned i = 0; i < count; i++) {
		g.node[i].id = i + 1;
		g.node[i].inc = 1;
		g.node[i].disk = replica_disk_open(1 << 20);
		make(&g.node[i]);
	}
	storestep_view((1U << count) - 1);
	/* Once more, and what a first start asks for is over. */
	storestep_pass_ms(100);
}

void
storestep_begin(unsigned count)
{
	begin(count, count, KV_TIE_NONE);
}

void
storestep_begin_with_voters(unsigned count, unsigned voters)
{
	begin(count, voters, KV_TIE_NONE);
}

void
storestep_begin_with_tie(unsigned count, enum kv_tie tie)
{
	begin(count, count, tie);
}

void
storestep_end(void)
{
	drop_messages();
	for (unsigned i = 0; i < g.count; i++) {
		replica_disk_close(g.node[i].disk);
		free(g.node[i].memory);
	}
}

/* ---- time -------------------------------------------------------------- */

void
storestep_pass_ms(unsigned ms)
{
	for (unsigned past = 0; past < ms; past += TICK_MS) {
		struct replica_input in = { .kind = REPLICA_IN_TIME };

		g.now_ns += TICK_MS * MS_NS;
		for (unsigned i = 0; i < g.count; i++)
			if (replica_deadline_ns(g.node[i].replica) <= g.now_ns)
				step(&g.node[i], &in);
		settle();
	}
}

uint64_t
storestep_messages(void)
{
	return g.places;
}

uint64_t
storestep_now_ms(void)
{
	return g.now_ns / MS_NS;
}

/* ---- clients ----------------------------------------------------------- */

static struct storestep_answer
ask(uint32_t node, struct replica_input *in)
{
	ENSURE(g.cookies + 1 < ASKED_MAX);
	in->cookie = ++g.cookies;
	g.answer[in->cookie].code = REPLICA_CODES;
	in->deadline_ns = g.now_ns + 5000 * MS_NS;
	step(&g.node[node - 1], in);
	settle();
	return g.answer[in->cookie];
}

uint64_t
storestep_asked(void)
{
	return g.cookies;
}

struct storestep_answer
storestep_answer(uint64_t n)
{
	ENSURE(n > 0 && n <= g.cookies);
	return g.answer[n];
}

struct storestep_answer
storestep_propose(uint32_t node, const void *bytes, size_t len)
{
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE };

	in.propose.bytes = bytes;
	in.propose.len = len;
	return ask(node, &in);
}

struct storestep_answer
storestep_admin(
    uint32_t node, enum replica_admin what, uint32_t about, uint32_t votes)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN };

	in.admin.what = what;
	in.admin.node = about;
	in.admin.votes = votes;
	return ask(node, &in);
}

struct storestep_answer
storestep_put(uint32_t node, const char *key, const char *value,
    enum replica_durability durability)
{
	const struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)key,
		.key_len = strlen(key),
		.value = (const uint8_t *)value,
		.value_len = strlen(value) };
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE };
	uint8_t bytes[256];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	ENSURE(!wr.is_full);
	in.propose.bytes = bytes;
	in.propose.len = wr.len;
	in.propose.durability = durability;
	return ask(node, &in);
}

static struct storestep_answer
change(uint32_t node, const struct kv_part *part)
{
	uint8_t bytes[64];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, part);
	return storestep_propose(node, bytes, wr.len);
}

struct storestep_answer
storestep_grant(uint32_t node, unsigned ttl_ms)
{
	return change(node,
	    &(struct kv_part){ .kind = KV_GRANT, .number = ttl_ms * MS_NS });
}

struct storestep_answer
storestep_renew(uint32_t node, uint64_t lease)
{
	return change(
	    node, &(struct kv_part){ .kind = KV_RENEW, .lease = lease });
}

struct replica *
storestep_replica(uint32_t node)
{
	return g.node[node - 1].replica;
}

bool
storestep_has_lease(uint32_t node, uint64_t lease)
{
	const struct kv *kv = replica_kv(storestep_replica(node));

	ENSURE(kv != NULL);
	return kv_lease_find(kv, lease) != NULL;
}

bool
storestep_has_key(uint32_t node, const char *key)
{
	const struct kv *kv = replica_kv(storestep_replica(node));

	ENSURE(kv != NULL);
	return kv_get(kv, key, strlen(key)) != NULL;
}
