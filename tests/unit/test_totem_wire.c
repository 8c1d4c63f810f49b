/* SPDX-License-Identifier: BSD-3-Clause */
/* Every packet: there and back with random contents; then cut short at each
 * octet, and with each octet changed, it is refused or says something valid.
 * What is decoded lies in an allocation of its own length, so that a sanitizer
 * sees a read beyond it. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_wire.h"
#include "bin/ringd/totem_wire_set.h"
#include "tests/unit/check.h"

enum { ROUNDS = 60 };

static struct totem_nodes table;
static struct rng rng;
static uint8_t first[TOTEM_WIRE_CONTROL_MAX], again[TOTEM_WIRE_CONTROL_MAX];

/* Tables of any size, the largest and the smallest ids among them. */
static void
draw_table(void)
{
	table.count = 1 + (uint32_t)rng_below(&rng, LIMIT_NODES);
	uint32_t step = LIMIT_NODE_ID_MAX / table.count;
	for (uint32_t i = 0; i < table.count; i++)
		table.id[i] = 1 + i * step + (uint32_t)rng_below(&rng, step);
	if (rng_below(&rng, 2) == 0)
		table.id[table.count - 1] = LIMIT_NODE_ID_MAX;
}

static uint64_t
draw_set(void)
{
	uint64_t all =
	    table.count == 64 ? UINT64_MAX : (UINT64_C(1) << table.count) - 1;

	return rng_next(&rng) & rng_next(&rng) & all;
}

static uint64_t
draw_set_of_some(void)
{
	return draw_set() | UINT64_C(1) << rng_below(&rng, table.count);
}

/* Numbers of all sizes. */
static uint64_t
draw_u64(void)
{
	return rng_next(&rng) >> rng_below(&rng, 64);
}

static struct totem_ring_id
draw_ring(void)
{
	return (struct totem_ring_id){ .seq = draw_u64() >> 2,
		.rep = (uint32_t)rng_next(&rng),
		.nonce = (uint32_t)rng_next(&rng) };
}

/* ---- the kinds of packets ---------------------------------------------- */

/* One kind: draws and encodes; decodes and encodes again, or false. */
struct kind {
	const char *name;
	void (*draw)(struct wrbuf *wr);
	bool (*recode)(const uint8_t *bytes, size_t len, struct wrbuf *wr);
	bool is_loose; /* may be said in several ways: not compared */
};

static void
draw_frame(struct wrbuf *wr)
{
	static uint8_t body[300];
	struct totem_frame frame = { .is_retransmit = rng_below(&rng, 2) == 0,
		.flags = (uint8_t)rng_below(&rng, 8),
		.sender = (uint32_t)rng_below(&rng, table.count),
		.visit = (uint32_t)rng_next(&rng),
		.ring = draw_ring(),
		.seq = 1 + draw_u64() / 2,
		.body = body,
		.body_len = 1 + rng_below(&rng, sizeof body) };

	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)rng_next(&rng);
	totem_wire_put_frame(wr, &table, &frame);
}

static bool
recode_frame(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_frame frame;

	if (!totem_wire_get_frame(&table, bytes, len, &frame))
		return false;
	CHECK(frame.sender < table.count);
	CHECK(frame.seq > 0);
	CHECK(frame.body_len > 0);
	totem_wire_put_frame(wr, &table, &frame);
	return true;
}

static void
draw_token(struct wrbuf *wr)
{
	struct totem_token token = { .ring = draw_ring(),
		.token_seq = draw_u64(),
		.seq = draw_u64(),
		.aru_node = (uint32_t)rng_below(&rng, table.count + 1),
		.fcc = (uint32_t)draw_u64(),
		.backlog = (uint32_t)draw_u64(),
		.idle_rounds = (uint8_t)draw_u64(),
		.window = (uint16_t)(LIMIT_WINDOW_MIN +
		    rng_below(&rng, LIMIT_WINDOW_MAX - LIMIT_WINDOW_MIN + 1)),
		.is_retrans = rng_below(&rng, 2) == 0,
		.large = (uint8_t)draw_u64(),
		.rtr_count = (uint32_t)rng_below(&rng, 6) };

	token.aru = token.seq - rng_below(&rng, token.seq + 1);
	for (uint32_t i = 0; i < token.rtr_count; i++) {
		struct totem_rtr *rtr = &token.rtr[i];
		rtr->base = rng_below(&rng, token.seq + 1) / 64 * 64;
		uint64_t room = num_min(63, token.seq - rtr->base);
		rtr->bits = UINT64_C(1) << rng_below(&rng, room + 1);
		rtr->requester = (uint32_t)rng_below(&rng, table.count + 1);
	}
	totem_wire_put_token(wr, &table, &token);
}

static bool
recode_token(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_token token;

	if (!totem_wire_get_token(&table, bytes, len, &token))
		return false;
	CHECK(token.aru <= token.seq);
	CHECK(token.aru_node <= table.count);
	CHECK(token.window >= LIMIT_WINDOW_MIN);
	CHECK(token.window <= LIMIT_WINDOW_MAX);
	CHECK(token.rtr_count <= LIMIT_RTR_ENTRIES);
	for (uint32_t i = 0; i < token.rtr_count; i++) {
		const struct totem_rtr *rtr = &token.rtr[i];
		CHECK(rtr->bits != 0);
		CHECK(rtr->base + 63 - (uint64_t)__builtin_clzll(rtr->bits) <=
		    token.seq);
	}
	totem_wire_put_token(wr, &table, &token);
	return true;
}

static void
draw_ref(struct wrbuf *wr)
{
	struct totem_token_ref ref = { .ring = draw_ring(),
		.token_seq = draw_u64() };

	totem_wire_put_ref(wr,
	    rng_below(&rng, 2) == 0 ? TOTEM_PACKET_TOKEN_ACK
				    : TOTEM_PACKET_HOLD_CANCEL,
	    &ref);
}

static bool
recode_ref(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_token_ref ref;

	if (!totem_wire_get_ref(bytes, len, &ref))
		return false;
	totem_wire_put_ref(wr, (enum totem_packet)bytes[0], &ref);
	return true;
}

static void
draw_heartbeat(struct wrbuf *wr)
{
	struct totem_heartbeat hb = { .wants_answer = rng_below(&rng, 2) == 0,
		.is_answer = rng_below(&rng, 2) == 0,
		.version = 1 + (uint32_t)rng_below(&rng, UINT32_MAX),
		.hears = draw_set() };

	totem_wire_put_heartbeat(wr, &table, &hb);
}

static bool
recode_heartbeat(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_heartbeat hb;

	if (!totem_wire_get_heartbeat(&table, bytes, len, &hb))
		return false;
	CHECK(hb.version > 0);
	totem_wire_put_heartbeat(wr, &table, &hb);
	return true;
}

static void
draw_witness(struct wrbuf *wr)
{
	struct totem_witness witness = { .wants_answer =
					     rng_below(&rng, 2) == 0 };

	witness.count = 1 + (uint32_t)rng_below(&rng, TOTEM_WIRE_WITNESS_MAX);
	for (uint32_t i = 0; i < witness.count; i++) {
		witness.about[i].node = (uint32_t)rng_below(&rng, table.count);
		witness.about[i].incarnation = rng_next(&rng);
		witness.about[i].silent_ms = (uint32_t)rng_next(&rng);
	}
	totem_wire_put_witness(wr, &table, &witness);
}

static bool
recode_witness(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_witness witness;

	if (!totem_wire_get_witness(&table, bytes, len, &witness))
		return false;
	CHECK(witness.count > 0 && witness.count <= TOTEM_WIRE_WITNESS_MAX);
	totem_wire_put_witness(wr, &table, &witness);
	return true;
}

static void
draw_leave(struct wrbuf *wr)
{
	struct totem_ring_id ring = draw_ring();

	totem_wire_put_leave(wr, &ring);
}

static bool
recode_leave(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_ring_id ring;

	if (!totem_wire_get_leave(bytes, len, &ring))
		return false;
	totem_wire_put_leave(wr, &ring);
	return true;
}

static void
draw_merge(struct wrbuf *wr)
{
	struct totem_merge merge = { .ring = draw_ring(),
		.ring_seq = draw_u64() >> 2,
		.members = draw_set_of_some() };

	totem_wire_put_merge(wr, &table, &merge);
}

static bool
recode_merge(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_merge merge;

	if (!totem_wire_get_merge(&table, bytes, len, &merge))
		return false;
	CHECK(merge.members != 0);
	CHECK(merge.ring_seq <= TOTEM_WIRE_RING_SEQ_MAX);
	totem_wire_put_merge(wr, &table, &merge);
	return true;
}

static void
draw_part(struct wrbuf *wr)
{
	struct totem_part part = { .packet = TOTEM_PACKET_JOIN,
		.parts = (uint8_t)(1 + rng_below(&rng, LIMIT_CONTROL_PARTS)),
		.id = draw_u64(),
		.bytes = (const uint8_t *)"some octets",
		.len = rng_below(&rng, 12) };

	part.part = (uint8_t)rng_below(&rng, part.parts);
	totem_wire_put_part(wr, &part);
}

static bool
recode_part(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	struct totem_part part;

	if (!totem_wire_get_part(bytes, len, &part))
		return false;
	CHECK(part.part < part.parts);
	CHECK(part.parts <= LIMIT_CONTROL_PARTS);
	totem_wire_put_part(wr, &part);
	return true;
}

static void
draw_join(struct wrbuf *wr)
{
	struct totem_join join = { .config_hash = draw_u64(),
		.ring_seq = draw_u64() >> 2,
		.inst = draw_ring(),
		.reason = (enum totem_reason)rng_below(&rng, TOTEM_REASONS),
		.is_fresh = rng_below(&rng, 2) == 0,
		.proc = draw_set_of_some() };

	join.fail = join.proc & rng_next(&rng);
	for (uint32_t i = 0; i < table.count; i++) {
		join.incarnation[i] = draw_u64();
		join.why[i] = (uint8_t)rng_below(&rng, TOTEM_REASONS);
		join.quarantine_ms[i] = (uint32_t)rng_next(&rng);
		if (rng_below(&rng, 2) == 0)
			join.row[i] = (struct totem_row){ .version = 1 +
				    (uint32_t)rng_below(&rng, UINT32_MAX),
				.hears = draw_set() };
	}
	totem_wire_put_join(wr, &table, &join);
}

static bool
recode_join(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	static struct totem_join join;

	if (!totem_wire_get_join(&table, bytes, len, &join))
		return false;
	CHECK((join.fail & ~join.proc) == 0);
	CHECK(join.reason < TOTEM_REASONS);
	CHECK(join.ring_seq <= TOTEM_WIRE_RING_SEQ_MAX);
	for (uint32_t i = 0; i < table.count; i++)
		if (join.fail >> i & 1)
			CHECK(join.why[i] < TOTEM_REASONS);
	totem_wire_put_join(wr, &table, &join);
	return true;
}

static void
draw_entry(struct totem_commit_entry *entry)
{
	uint64_t stable = draw_u64() / 2;
	uint64_t high = stable + rng_below(&rng, LIMIT_STORE_FRAMES + 1);
	uint64_t aru = stable + rng_below(&rng, high - stable + 1);

	*entry = (struct totem_commit_entry){ .old = draw_ring(),
		.aru = aru,
		.high = high,
		.delivered = aru - rng_below(&rng, aru + 1),
		.stable = stable,
		.oblig = draw_set(),
		.held_len =
		    (uint8_t)rng_below(&rng, TOTEM_WIRE_HOLE_BYTES + 1) };
	for (uint32_t i = 0; i < entry->held_len; i++)
		entry->held[i] = (uint8_t)rng_next(&rng);
}

static void
draw_commit(struct wrbuf *wr)
{
	static struct totem_commit commit;

	memset(&commit, 0, sizeof commit);
	commit.ring = draw_ring();
	commit.token_seq = draw_u64();
	commit.members = draw_set_of_some();
	commit.filled =
	    (uint32_t)rng_below(&rng, totem_wire_count(commit.members) + 1);
	for (uint32_t i = 0; i < table.count; i++) {
		commit.incarnation[i] = draw_u64();
		commit.why[i] = (uint8_t)rng_below(&rng, TOTEM_REASONS);
		draw_entry(&commit.entry[i]);
	}
	totem_wire_put_commit(wr, &table, &commit);
}

static bool
recode_commit(const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	static struct totem_commit commit;

	if (!totem_wire_get_commit(&table, bytes, len, &commit))
		return false;
	CHECK(commit.filled <= totem_wire_count(commit.members));
	CHECK(commit.ring.seq <= TOTEM_WIRE_RING_SEQ_MAX);
	uint64_t left = commit.members;
	for (uint32_t i = 0; i < commit.filled; i++, left &= left - 1) {
		const struct totem_commit_entry *entry =
		    &commit.entry[__builtin_ctzll(left)];
		CHECK(entry->aru <= entry->high);
		CHECK(entry->delivered <= entry->aru);
		CHECK(entry->stable <= entry->high);
		CHECK(entry->high - entry->stable <= LIMIT_STORE_FRAMES);
		CHECK(entry->held_len <= TOTEM_WIRE_HOLE_BYTES);
	}
	totem_wire_put_commit(wr, &table, &commit);
	return true;
}

static const struct kind kinds[] = {
	{ "frame", draw_frame, recode_frame, false },
	{ "token", draw_token, recode_token, false },
	{ "token-ack and hold-cancel", draw_ref, recode_ref, false },
	{ "heartbeat", draw_heartbeat, recode_heartbeat, false },
	{ "witness", draw_witness, recode_witness, false },
	{ "leave", draw_leave, recode_leave, false },
	{ "merge-detect", draw_merge, recode_merge, false },
	{ "part", draw_part, recode_part, false },
	/* Their lists may name more nodes than they have to. */
	{ "join", draw_join, recode_join, true },
	{ "commit", draw_commit, recode_commit, true },
};

/* ---- what is asked of each --------------------------------------------- */

/* Decodes a copy that ends where it ends. */
static bool
recode(
    const struct kind *kind, const uint8_t *bytes, size_t len, struct wrbuf *wr)
{
	uint8_t *copy = malloc(num_max(len, 1));

	ENSURE(copy != NULL);
	memcpy(copy, bytes, len);
	wrbuf_init(wr, again, sizeof again);
	bool is_valid = kind->recode(copy, len, wr);
	free(copy);
	return is_valid;
}

static size_t
draw(const struct kind *kind)
{
	struct wrbuf wr;

	draw_table();
	wrbuf_init(&wr, first, sizeof first);
	kind->draw(&wr);
	CHECK(!wr.is_full);
	return wr.len;
}

static void
test_totem_wire_goes_there_and_back(void)
{
	struct wrbuf wr;

	rng_init(&rng, 1);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		check_case(kinds[i].name);
		for (int round = 0; round < 10 * ROUNDS; round++) {
			size_t len = draw(&kinds[i]);
			if (CHECK(recode(&kinds[i], first, len, &wr)))
				CHECK_MEM(again, wr.len, first, len);
		}
	}
}

static void
test_totem_wire_cut_short_is_refused(void)
{
	struct wrbuf wr;

	rng_init(&rng, 2);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		check_case(kinds[i].name);
		/* The body of a frame, or part, ends where the packet does. */
		bool has_tail =
		    kinds[i].draw == draw_frame || kinds[i].draw == draw_part;
		for (int round = 0; round < ROUNDS; round++) {
			size_t len = draw(&kinds[i]);
			for (size_t cut = 0; cut < len; cut++)
				if (recode(&kinds[i], first, cut, &wr))
					CHECK(has_tail && wr.len == cut);
			if (has_tail)
				continue;
			first[len] = 0;
			CHECK(!recode(&kinds[i], first, len + 1, &wr));
		}
	}
}

/* Changes one octet of the packet at first, and puts it back. */
static bool
survives_change(const struct kind *kind, size_t len, size_t at)
{
	struct wrbuf wr;
	uint8_t kept = first[at / 12];
	unsigned bit = 1U << at % 12;

	first[at / 12] ^= (uint8_t)(bit < 256 ? bit : 1 + rng_below(&rng, 255));
	bool is_valid = recode(kind, first, len, &wr);
	if (is_valid && !kind->is_loose)
		CHECK_MEM(again, wr.len, first, len);
	first[at / 12] = kept;
	return is_valid;
}

static void
test_totem_wire_with_one_octet_changed_is_valid_or_refused(void)
{
	size_t valid = 0, tried = 0;

	rng_init(&rng, 3);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		check_case(kinds[i].name);
		for (int round = 0; round < ROUNDS / 10; round++) {
			size_t len = draw(&kinds[i]);
			tried += len * 12;
			for (size_t at = 0; at < len * 12; at++)
				valid += survives_change(&kinds[i], len, at);
		}
	}
	CHECK(valid > 1000);
	CHECK(tried - valid > 1000);
}

/* ---- records ----------------------------------------------------------- */

static void
put_record(struct wrbuf *wr, const struct totem_record *record)
{
	wrbuf_init(wr, first, sizeof first);
	totem_wire_put_record(wr, record);
	for (uint32_t i = 0; i < record->len; i++)
		wrbuf_u8(wr, (uint8_t)i);
}

static void
test_totem_wire_records_go_there_and_back(void)
{
	rng_init(&rng, 4);
	for (int round = 0; round < 20 * ROUNDS; round++) {
		struct totem_record record = { .msg_no = draw_u64(),
			.len = (uint32_t)rng_below(&rng, 300) },
				    out;
		struct wrbuf wr;
		struct rdbuf rd;
		record.total = record.len +
		    (uint32_t)(rng_below(&rng, 2) * (draw_u64() >> 42));
		record.offset =
		    (uint32_t)rng_below(&rng, record.total - record.len + 1);
		if (record.offset == 0)
			record.flags |= TOTEM_RECORD_FIRST;
		if (record.offset + record.len == record.total)
			record.flags |= TOTEM_RECORD_LAST;
		if (rng_below(&rng, 2) == 0)
			record.flags |= TOTEM_RECORD_SYSTEM;

		put_record(&wr, &record);
		rdbuf_init(&rd, first, wr.len);
		if (!CHECK(totem_wire_get_record(&rd, &out)))
			continue;
		CHECK(rdbuf_is_done(&rd));
		CHECK_EQ(out.flags, record.flags);
		CHECK_EQ(out.msg_no, record.msg_no);
		CHECK_EQ(out.len, record.len);
		CHECK_EQ(out.total, record.total);
		CHECK_EQ(out.offset, record.offset);
		for (size_t cut = 0; cut < wr.len; cut++) {
			rdbuf_init(&rd, first, cut);
			CHECK(!totem_wire_get_record(&rd, &out));
		}
	}
}

static void
test_totem_wire_record_that_contradicts_itself_is_refused(void)
{
	enum { F = TOTEM_RECORD_FIRST, L = TOTEM_RECORD_LAST };
	static const struct {
		uint8_t flags;
		uint32_t len, total, offset;
	} cases[] = {
		{ 0, 5, 10, 0 },  /* the first piece, but not said so */
		{ F, 5, 10, 1 },  /* not the first */
		{ L, 5, 10, 1 },  /* not the last */
		{ 0, 5, 10, 5 },  /* the last, but not said so */
		{ 0, 5, 10, 6 },  /* beyond the end */
		{ F, 11, 10, 0 }, /* longer than the whole */
		{ 0, 1, 10, 4000000000 },
		{ F, 5, LIMIT_MESSAGE_BYTES_MAX + 1, 0 },
		{ F | 8, 5, 10, 0 }, /* a flag that does not exist */
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct totem_record record = { .flags = cases[i].flags,
			.msg_no = 1,
			.len = cases[i].len,
			.total = cases[i].total,
			.offset = cases[i].offset };
		struct wrbuf wr;
		struct rdbuf rd;
		put_record(&wr, &record);
		rdbuf_init(&rd, first, wr.len);
		CHECK(!totem_wire_get_record(&rd, &record));
	}
}

/* ---- ids --------------------------------------------------------------- */

static void
test_totem_wire_idx_finds_every_id_and_no_other(void)
{
	rng_init(&rng, 5);
	for (int round = 0; round < ROUNDS; round++) {
		draw_table();
		for (uint32_t i = 0; i < table.count; i++) {
			uint32_t id = table.id[i];
			CHECK_EQ(totem_wire_idx(&table, id), i);
			if (i + 1 < table.count && table.id[i + 1] > id + 1)
				CHECK_EQ(totem_wire_idx(&table, id + 1), -1);
		}
		CHECK_EQ(totem_wire_idx(&table, 0), -1);
		CHECK_EQ(totem_wire_idx(&table, LIMIT_NODE_ID_MAX + 1), -1);
	}
}

static void
test_totem_wire_list_must_ascend_and_be_known(void)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
		bool is_valid;
	} cases[] = {
		{ { 0 }, 1, true },
		{ { 2, 0, 3, 0, 7 }, 5, true },
		{ { 2, 0, 7, 0, 3 }, 5, false },
		{ { 2, 0, 3, 0, 3 }, 5, false },
		{ { 1, 0, 4 }, 3, false },
		{ { 1, 0, 0 }, 3, false },
		{ { 3, 0, 3, 0, 7 }, 5, false },
		{ { 0 }, 0, false },
	};

	table = (struct totem_nodes){ .count = 2, .id = { 3, 7 } };
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct rdbuf rd;
		uint64_t set;
		rdbuf_init(&rd, cases[i].bytes, cases[i].len);
		CHECK_EQ(
		    totem_wire_get_ids(&rd, &table, &set), cases[i].is_valid);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_wire_goes_there_and_back),
		CHECK_TEST(test_totem_wire_cut_short_is_refused),
		CHECK_TEST(
		    test_totem_wire_with_one_octet_changed_is_valid_or_refused),
		CHECK_TEST(test_totem_wire_records_go_there_and_back),
		CHECK_TEST(
		    test_totem_wire_record_that_contradicts_itself_is_refused),
		CHECK_TEST(test_totem_wire_idx_finds_every_id_and_no_other),
		CHECK_TEST(test_totem_wire_list_must_ascend_and_be_known),
	};

	return CHECK_MAIN(argc, argv, tests);
}
