/* SPDX-License-Identifier: BSD-3-Clause */
/* Group messages in bytes: everything at its limit, and one step beyond. */
#include <string.h>

#include "bin/ringd/group_wire.h"
#include "tests/unit/check.h"

static uint8_t letters[256];

static struct group_name
name_of(size_t len)
{
	memset(letters, 'g', sizeof(letters));
	return (struct group_name){ letters, len };
}

static size_t
encode(const struct group_wire *wire, uint8_t *bytes)
{
	struct wrbuf out;

	wrbuf_init(&out, bytes, GROUP_HEAD_BYTES_MAX);
	group_wire_encode(wire, &out);
	return out.len;
}

static void
check_alike(const struct group_wire *a, const struct group_wire *b)
{
	CHECK_EQ(a->kind, b->kind);
	CHECK_EQ(a->conn, b->conn);
	CHECK_EQ(a->cookie, b->cookie);
	CHECK_EQ(a->pid, b->pid);
	CHECK_EQ(a->uid, b->uid);
	CHECK_EQ(a->part, b->part);
	CHECK_EQ(a->is_last, b->is_last);
	CHECK_EQ(a->ring.seq, b->ring.seq);
	CHECK_EQ(a->ring.rep, b->ring.rep);
	CHECK_EQ(a->ring.nonce, b->ring.nonce);
	CHECK_EQ(group_wire_order(&a->group, &b->group), 0);
	CHECK_EQ(group_wire_order(&a->name, &b->name), 0);
}

static void
test_group_wire_largest_of_each_kind_comes_back(void)
{
	const struct group_name group = name_of(LIMIT_GROUP_NAME_BYTES);
	const struct group_name name = name_of(LIMIT_CLIENT_NAME_BYTES);
	const struct group_wire sent[] = {
		{ .kind = GROUP_WIRE_PUB,
		    .conn = UINT32_MAX,
		    .cookie = UINT64_MAX,
		    .group = group,
		    .name = name },
		{ .kind = GROUP_WIRE_JOIN,
		    .conn = UINT32_MAX,
		    .group = group,
		    .name = name,
		    .pid = UINT32_MAX,
		    .uid = UINT32_MAX },
		{ .kind = GROUP_WIRE_LEAVE,
		    .conn = UINT32_MAX,
		    .group = group },
		{ .kind = GROUP_WIRE_EXIT, .conn = UINT32_MAX },
		{ .kind = GROUP_WIRE_SYNC,
		    .ring = { UINT64_MAX, UINT32_MAX, UINT32_MAX },
		    .part = UINT32_MAX,
		    .is_last = true },
	};

	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		uint8_t bytes[GROUP_HEAD_BYTES_MAX];
		struct group_wire got;
		size_t len = encode(&sent[i], bytes);
		CHECK_EQ(bytes[0], i + 1);
		if (CHECK(group_wire_decode(bytes, len, &got)))
			check_alike(&got, &sent[i]);
		for (size_t cut = 0; cut < len; cut++)
			CHECK(!group_wire_decode(bytes, cut, &got));
	}
}

static void
test_group_wire_what_follows_a_pub_head_is_the_clients(void)
{
	const struct group_wire sent = {
		.kind = GROUP_WIRE_PUB, .conn = 1, .group = name_of(1)
	};
	uint8_t bytes[GROUP_HEAD_BYTES_MAX];
	struct group_wire got;
	size_t len = encode(&sent, bytes);

	CHECK_EQ(len, 6);
	memcpy(bytes + len, "any\0\xFF", 5);
	CHECK(group_wire_decode(bytes, len + 5, &got));
	CHECK_MEM(got.bytes, got.len, "any\0\xFF", 5);
	CHECK(group_wire_decode(bytes, len, &got));
	CHECK_EQ(got.len, 0);
}

static void
test_group_wire_refuses_what_no_encoder_writes(void)
{
	static const struct {
		const char *about;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "nothing", "", 0 },
		{ "kind 0", "\0\1", 2 },
		{ "kind 6", "\6\1", 2 },
		{ "a connection over 32 bits", "\4\x80\x80\x80\x80\x10", 6 },
		{ "a number longer than need be", "\4\x81\0", 3 },
		{ "a group without a name", "\3\1\0", 3 },
		{ "a group longer than the message", "\3\1\2g", 4 },
		{ "something behind an exit", "\4\1\0", 3 },
		{ "something behind a leave", "\3\1\1gx", 5 },
		{ "a last that is neither",
		    "\5\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1"
		    "\2\0",
		    19 },
		{ "the same entry twice",
		    "\5\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1"
		    "\1\0"
		    "\1g\1\1\1\0\1g\1\1\1\0",
		    31 },
		{ "groups descending",
		    "\5\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1"
		    "\1\0"
		    "\1g\1\1\1\0\1f\1\1\1\0",
		    31 },
		{ "half an entry",
		    "\5\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\1"
		    "\1\0"
		    "\1g\1\1",
		    23 },
	};
	struct group_wire got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_case(cases[i].about);
		CHECK(!group_wire_decode(
		    (const uint8_t *)cases[i].bytes, cases[i].len, &got));
	}
	check_case(NULL);
}

static void
test_group_wire_names_over_their_limits_are_refused(void)
{
	struct group_wire sent = { .kind = GROUP_WIRE_JOIN, .conn = 1 };
	uint8_t bytes[GROUP_HEAD_BYTES_MAX];
	struct group_wire got;

	sent.group = name_of(LIMIT_GROUP_NAME_BYTES + 1);
	CHECK(!group_wire_decode(bytes, encode(&sent, bytes), &got));
	sent.group.len = 1;
	sent.name = name_of(LIMIT_CLIENT_NAME_BYTES + 1);
	CHECK(!group_wire_decode(bytes, encode(&sent, bytes), &got));
	sent.name.len--;
	CHECK(group_wire_decode(bytes, encode(&sent, bytes), &got));
}

static void
test_group_wire_orders_a_prefix_first(void)
{
	const struct group_name a = { (const uint8_t *)"a", 1 };
	const struct group_name aa = { (const uint8_t *)"aa", 2 };
	const struct group_name b = { (const uint8_t *)"b\xFF", 1 };

	CHECK(group_wire_order(&a, &aa) < 0);
	CHECK(group_wire_order(&aa, &a) > 0);
	CHECK(group_wire_order(&aa, &b) < 0);
	CHECK(group_wire_order(&b, &b) == 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_group_wire_largest_of_each_kind_comes_back),
		CHECK_TEST(
		    test_group_wire_what_follows_a_pub_head_is_the_clients),
		CHECK_TEST(test_group_wire_refuses_what_no_encoder_writes),
		CHECK_TEST(test_group_wire_names_over_their_limits_are_refused),
		CHECK_TEST(test_group_wire_orders_a_prefix_first),
	};
	return CHECK_MAIN(argc, argv, tests);
}
