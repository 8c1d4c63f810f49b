/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits for company, and for how long: one replica, alone in its view. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/kv_command.h"
#include "bin/cfgstored/replica_internal.h"
#include "tests/unit/check.h"

enum { MESSAGES = 64, MESSAGE_BYTES = 8192, COMMAND_BYTES = 512 };

#define US_NS UINT64_C(1000)
#define MS_NS UINT64_C(1000000)

static struct {
	void *memory;
	struct replica *r;
	uint64_t now_ns, cookie;
	struct parse_view view;
	uint8_t message[MESSAGES][MESSAGE_BYTES];
	size_t len[MESSAGES];
	size_t first, end;
	unsigned published[REPLICA_WIRES];
	struct kv_tip given; /* to the disk */
	bool is_awaited;     /* what was given last */
	unsigned answers, saves;
} w;

static void
on_effect(const struct replica_effect *effect)
{
	if (effect->kind == REPLICA_OUT_PUBLISH) {
		const uint8_t *bytes = effect->publish.bytes;

		ENSURE(w.end - w.first < MESSAGES);
		ENSURE(effect->publish.len <= MESSAGE_BYTES);
		w.published[bytes[1]]++;
		w.len[w.end % MESSAGES] = effect->publish.len;
		memcpy(
		    w.message[w.end++ % MESSAGES], bytes, effect->publish.len);
	} else if (effect->kind == REPLICA_OUT_APPEND) {
		w.given = effect->append.tip;
		w.is_awaited = effect->append.is_awaited;
	} else if (effect->kind == REPLICA_OUT_ANSWER) {
		CHECK_EQ(effect->answer.code, REPLICA_OK);
		w.answers++;
	} else if (effect->kind == REPLICA_OUT_SAVE) {
		w.saves++;
	}
}

static void
step(struct replica_input *in)
{
	struct replica_effect effect;

	in->now_ns = w.now_ns;
	replica_step(w.r, in);
	while (replica_next(w.r, &effect))
		on_effect(&effect);
	replica_check(w.r);
}

/* Those that were published when it began. */
static void
deliver(void)
{
	for (size_t end = w.end; w.first < end; w.first++) {
		struct replica_input in = { .kind = REPLICA_IN_MESSAGE };

		in.message.sender = 1;
		in.message.pos.view = w.view;
		in.message.bytes = w.message[w.first % MESSAGES];
		in.message.len = w.len[w.first % MESSAGES];
		step(&in);
	}
}

static void
deliver_all(void)
{
	while (w.first < w.end)
		deliver();
}

static void
fsync_all(void)
{
	struct replica_input in = { .kind = REPLICA_IN_SYNCED, .tip = w.given };

	step(&in);
}

static void
pass(uint64_t span_ns)
{
	struct replica_input in = { .kind = REPLICA_IN_TIME };

	w.now_ns += span_ns;
	step(&in);
}

static void
propose(enum replica_durability durability, bool is_more)
{
	struct replica_input in = { .kind = REPLICA_IN_PROPOSE,
		.cookie = ++w.cookie,
		.deadline_ns = w.now_ns + 1000 * MS_NS,
		.is_more = is_more };
	struct kv_part part = { .kind = KV_PUT,
		.key = (const uint8_t *)"key",
		.key_len = 3,
		.value = (const uint8_t *)"value",
		.value_len = 5 };
	uint8_t bytes[COMMAND_BYTES];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	kv_command_begin(&wr, 0, 1);
	kv_command_add(&wr, &part);
	in.propose.durability = durability;
	in.propose.bytes = bytes;
	in.propose.len = wr.len;
	step(&in);
}

static void
make(uint64_t snapshot_bytes)
{
	struct replica_config cfg;
	struct arena arena;

	replica_config_init(&cfg);
	cfg.self = 1;
	cfg.node_count = 1;
	cfg.node[0] = (struct kv_voter){ 1, 1 };
	cfg.run = 1;
	cfg.kv = (struct kv_config){ { 64, 65536, 4096, 8 }, 64, 8192 };
	cfg.snapshot_bytes = snapshot_bytes;
	arena_init(&arena, NULL, 0);
	(void)replica_create(&arena, &cfg);
	free(w.memory);
	memset(&w, 0, sizeof w);
	w.memory = aligned_alloc(64, num_round_up(arena.used_bytes, 64));
	ENSURE(w.memory != NULL);
	arena_init(&arena, w.memory, arena.used_bytes);
	w.r = replica_create(&arena, &cfg);
	replica_loaded(w.r, REPLICA_BLANK, NULL, 0);
	w.now_ns = MS_NS;
	w.view = (struct parse_view){ .rep = 1, .seq = 1 };
}

/* A store of one node, open, with nothing under way. */
static void
begin(uint64_t snapshot_bytes)
{
	const uint32_t member = 1;
	const uint64_t inc = 1;
	struct replica_input view = { .kind = REPLICA_IN_VIEW };
	struct replica_input group = { .kind = REPLICA_IN_GROUP };
	struct replica_input room = { .kind = REPLICA_IN_ROOM,
		.room = 1 << 30 };

	make(snapshot_bytes);
	view.view.id = w.view;
	view.view.member = &member;
	view.view.inc = &inc;
	view.view.member_count = 1;
	group.group.node = &member;
	group.group.node_count = 1;
	group.group.pos.view = w.view;
	step(&room);
	step(&view);
	step(&group);
	for (unsigned i = 0; i < 8; i++) {
		fsync_all();
		deliver_all();
	}
	pass(10 * MS_NS);
	deliver_all();
	ENSURE(replica_state_now(w.r) == REPLICA_OPEN);
	memset(w.published, 0, sizeof w.published);
}

/* So many, with one RECORD, and their answers. */
static void
go_round(unsigned count)
{
	const unsigned answers = w.answers;

	for (unsigned i = 0; i < count; i++)
		propose(REPLICA_ON_DISK, true);
	pass(MS_NS);
	deliver_all();
	fsync_all();
	deliver_all();
	CHECK_EQ(w.answers, answers + count);
}

/* ---- tests ------------------------------------------------------------- */

static void
test_pace_a_turn_has_one_record(void)
{
	begin(1 << 20);
	for (unsigned i = 0; i < 5; i++) {
		propose(REPLICA_ON_DISK, true);
		CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 0);
		CHECK_EQ(replica_deadline_ns(w.r), 0);
	}
	pass(0);
	CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 1);
	deliver_all();
	fsync_all();
	CHECK_EQ(w.answers, 0);
	deliver_all();
	CHECK_EQ(w.answers, 5);
}

static void
test_pace_one_alone_waits_for_nobody(void)
{
	begin(1 << 20);
	for (unsigned i = 1; i < 20; i++) {
		propose(REPLICA_ON_DISK, false);
		CHECK_EQ(w.published[REPLICA_WIRE_RECORD], i);
		deliver_all();
		fsync_all();
		deliver_all();
		CHECK_EQ(w.answers, i);
	}
}

static void
test_pace_waits_for_who_was_answered(void)
{
	begin(1 << 20);
	go_round(3);
	propose(REPLICA_ON_DISK, false);
	propose(REPLICA_ON_DISK, false);
	CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 1);
	propose(REPLICA_ON_DISK, false);
	CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 2);
	deliver_all();
	fsync_all();
	deliver_all();
	CHECK_EQ(w.answers, 6);
}

/* Each time in vain it waits half as long, and in the end hardly at all. */
static void
test_pace_does_not_wait_in_vain(void)
{
	uint64_t before_ns = 201 * US_NS;

	begin(1 << 20);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t wait_ns;

		go_round(6);
		memset(w.published, 0, sizeof w.published);
		propose(REPLICA_ON_DISK, false);
		wait_ns = replica_deadline_ns(w.r) - w.now_ns;
		CHECK(wait_ns > 0 && wait_ns < before_ns);
		CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 0);
		pass(wait_ns);
		CHECK_EQ(w.published[REPLICA_WIRE_RECORD], 1);
		before_ns = wait_ns;
		deliver_all();
		fsync_all();
		deliver_all();
	}
	CHECK(before_ns <= 50 * US_NS);
}

static void
test_pace_confirms_at_once_who_is_waited_for(void)
{
	begin(1 << 20);
	propose(REPLICA_ON_DISK, false);
	deliver_all();
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 0);
	fsync_all();
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 1);
	deliver_all();
	CHECK_EQ(w.answers, 1);
	/* In memory, it is told that it is held. */
	propose(REPLICA_IN_MEMORY, false);
	deliver();
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 2);
	CHECK_EQ(w.answers, 1);
	deliver_all();
	CHECK_EQ(w.answers, 2);
}

/* One of so many, each with a vote, whose epoch has a record. */
static struct replica *
make_member(size_t count)
{
	static struct replica r;
	struct replica_era *era = &r.era;

	memset(&r, 0, sizeof r);
	r.now_ns = MS_NS;
	r.cfg.self = 1;
	r.is_saving = true; /* so no snapshot is late */
	era->is_on = era->is_open = era->is_complete = true;
	era->open_index = era->end = 1;
	for (size_t i = 0; i < count; i++) {
		const uint32_t id = (uint32_t)i + 1;

		era->peer[i].synced.synced = era->open_index;
		era->members.id[era->members.count++] = id;
		era->e.now.voter[era->e.now.count++] =
		    (struct kv_voter){ id, 1 };
	}
	return &r;
}

static bool
is_due(struct replica *r)
{
	const struct replica_synced now = { .held = r->era.memory_index };

	return replica_pace_is_synced_due(r, &now);
}

/* Others make it known that all who are needed hold it, without its author. */
static void
test_pace_leaves_its_own_to_the_others(void)
{
	struct replica *r = make_member(3);

	replica_pace_enters_memory(r, 1);
	CHECK(!is_due(r));
	/* But not for long, in case they do not. */
	r->now_ns = replica_pace_deadline_ns(r);
	CHECK(r->now_ns > MS_NS && r->now_ns <= 2 * MS_NS);
	CHECK(is_due(r));

	r = make_member(3);
	replica_pace_enters_memory(r, 1);
	CHECK(!is_due(r));
	r->era.end++;
	replica_pace_enters_memory(r, 2);
	CHECK(is_due(r));

	r = make_member(2);
	replica_pace_enters_memory(r, 1);
	CHECK(is_due(r));
}

/* Who fetches the log yet holds nothing that counts. */
static void
test_pace_leaves_nothing_to_who_is_filling(void)
{
	struct replica *r = make_member(3);

	r->era.peer[2].synced.synced = 0;
	replica_pace_enters_memory(r, 1);
	CHECK(is_due(r));
}

/* For what only memory was asked, the disk is told of in time. */
static void
test_pace_confirms_later_what_nobody_waits_for(void)
{
	struct replica_status status;

	begin(1 << 20);
	propose(REPLICA_IN_MEMORY, false);
	deliver_all();
	CHECK_EQ(w.answers, 1);
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 1);
	fsync_all();
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 1);
	pass(replica_deadline_ns(w.r) - w.now_ns - 1);
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 1);
	pass(1);
	CHECK_EQ(w.published[REPLICA_WIRE_SYNCED], 2);
	deliver_all();
	replica_status(w.r, &status);
	CHECK_EQ(status.acked, status.tip.index);
	/* And then there is nothing to be woken for soon. */
	CHECK(replica_deadline_ns(w.r) - w.now_ns > 100 * MS_NS);
}

/* The disk may take its time for what only memory was asked for. */
static void
test_pace_hurries_the_disk_for_who_waits(void)
{
	begin(1 << 20);
	CHECK(w.is_awaited); /* what the epoch began with */
	propose(REPLICA_IN_MEMORY, false);
	deliver_all();
	CHECK(!w.is_awaited);
	propose(REPLICA_ON_DISK, false);
	deliver_all();
	CHECK(w.is_awaited);
	propose(REPLICA_IN_MEMORY, false);
	deliver_all();
	CHECK(!w.is_awaited);
}

/* The disk is always one behind: there are snapshots all the same. */
static void
test_pace_memory_leaves_time_for_snapshots(void)
{
	begin(1024);
	for (unsigned i = 0; i < 500; i++) {
		struct kv_tip last = w.given;
		struct replica_input synced = { .kind = REPLICA_IN_SYNCED,
			.tip = last };
		struct replica_input saved = { .kind = REPLICA_IN_SAVED,
			.tip = last };
		const unsigned saves = w.saves;

		propose(REPLICA_IN_MEMORY, false);
		deliver_all();
		step(&synced);
		deliver_all();
		if (w.saves > saves)
			step(&saved);
		w.now_ns += US_NS;
	}
	CHECK(w.saves > 1);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_pace_a_turn_has_one_record),
		CHECK_TEST(test_pace_one_alone_waits_for_nobody),
		CHECK_TEST(test_pace_waits_for_who_was_answered),
		CHECK_TEST(test_pace_does_not_wait_in_vain),
		CHECK_TEST(test_pace_confirms_at_once_who_is_waited_for),
		CHECK_TEST(test_pace_leaves_its_own_to_the_others),
		CHECK_TEST(test_pace_leaves_nothing_to_who_is_filling),
		CHECK_TEST(test_pace_confirms_later_what_nobody_waits_for),
		CHECK_TEST(test_pace_hurries_the_disk_for_who_waits),
		CHECK_TEST(test_pace_memory_leaves_time_for_snapshots),
	};

	return CHECK_MAIN(argc, argv, tests);
}
