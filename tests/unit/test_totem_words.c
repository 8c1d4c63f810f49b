/* SPDX-License-Identifier: BSD-3-Clause */
/* Every name, every line of narration, what a datagram says, and `status`. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

static struct ringlet r;
static char space[512];

static bool
is_word(const char *word)
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyz_-";

	return word != NULL && *word != '\0' && word[strspn(word, may)] == '\0';
}

static void
test_totem_names_are_words_and_differ(void)
{
	const char *names[TOTEM_COUNTERS + TOTEM_REASONS];
	uint32_t count = 0;

	for (int i = 0; i < TOTEM_COUNTERS; i++)
		names[count++] = totem_counter_name((enum totem_counter)i);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(is_word(names[i]));
		for (uint32_t j = 0; j < i; j++)
			CHECK(strcmp(names[i], names[j]) != 0);
	}
	count = 0;
	for (int i = 0; i < TOTEM_REASONS; i++)
		names[count++] = totem_reason_name((enum totem_reason)i);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(is_word(names[i]));
		for (uint32_t j = 0; j < i; j++)
			CHECK(strcmp(names[i], names[j]) != 0);
	}
	for (int i = 0; i < TOTEM_STATES; i++)
		CHECK(is_word(totem_state_name((enum totem_state)i)));
	for (int i = 1; i < TOTEM_PACKETS; i++) {
		CHECK(is_word(totem_packet_name((enum totem_packet)i)));
		CHECK(strcmp(totem_packet_name((enum totem_packet)i),
			  "unknown") != 0);
	}
	CHECK_STR(totem_packet_name((enum totem_packet)0), "unknown");
	CHECK_STR(totem_packet_name(TOTEM_PACKETS), "unknown");
}

static const struct {
	enum totem_trace_id id;
	const char *want;
} lines[] = {
	{ TOTEM_TRACE_GATHER, "gather state=gather peer=7 reason=timeout" },
	{ TOTEM_TRACE_SETS, "gather-sets state=gather peer=7 proc=7 fail=3" },
	{ TOTEM_TRACE_FAIL, "gather-fail state=gather peer=7 reason=timeout" },
	{ TOTEM_TRACE_JOIN_SENT,
	    "join-sent state=gather peer=7 proc=7 fail=3 ring_seq=5000000" },
	{ TOTEM_TRACE_JOIN_RECEIVED,
	    "join-received state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_JOIN_IGNORED,
	    "join-ignored state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_COMMIT_CREATED,
	    "commit-created state=gather peer=7 ring_seq=2 members=3" },
	{ TOTEM_TRACE_COMMIT_ENTERED,
	    "commit state=gather peer=7 ring_seq=2 filled=1 members=3,9" },
	{ TOTEM_TRACE_COMMIT_REFUSED,
	    "commit-refused state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_RECOVERY,
	    "recovery state=gather peer=7 ring_seq=2 transitional=3 "
	    "to_send=5000000" },
	{ TOTEM_TRACE_RECOVERY_ACKED,
	    "recovery-acked state=gather peer=7 install_seq=2 obliged=3" },
	{ TOTEM_TRACE_INSTALL,
	    "install state=gather peer=7 ring_seq=2 members=3 "
	    "install_seq=5000000" },
	{ TOTEM_TRACE_INSTALL_CUT,
	    "install-cut state=gather peer=7 cut=2 gap=1 top=5000000" },
	{ TOTEM_TRACE_TOKEN_RECEIVED,
	    "token-received state=gather peer=7 token_seq=2 seq=1 "
	    "aru=5000000" },
	{ TOTEM_TRACE_TOKEN_SENT,
	    "token-sent state=gather peer=7 token_seq=2 seq=1 aru=5000000" },
	{ TOTEM_TRACE_TOKEN_REFUSED, "token-refused state=gather peer=7" },
	{ TOTEM_TRACE_TOKEN_DUPLICATE,
	    "token-duplicate state=gather peer=7 token_seq=2 seen=1" },
	{ TOTEM_TRACE_TOKEN_RESENT,
	    "token-resent state=gather peer=7 token_seq=2 try=1" },
	{ TOTEM_TRACE_TOKEN_LOST,
	    "token-lost state=gather peer=7 token_seq=2" },
	{ TOTEM_TRACE_TOKEN_HELD,
	    "token-held state=gather peer=7 token_seq=2" },
	{ TOTEM_TRACE_HOLD_CANCEL_SENT,
	    "hold-cancel state=gather peer=7 token_seq=2" },
	{ TOTEM_TRACE_HOLD_RELEASED,
	    "hold-released state=gather peer=7 token_seq=2" },
	{ TOTEM_TRACE_RETRANSMITTED,
	    "retransmitted state=gather peer=7 frames=2 entries_left=1" },
	{ TOTEM_TRACE_PEER_ALIVE, "peer-alive state=gather peer=7 inc=2" },
	{ TOTEM_TRACE_PEER_SUSPECT,
	    "peer-suspect state=gather peer=7 silent_ms=0" },
	{ TOTEM_TRACE_PEER_TESTIMONY, "testimony state=gather peer=7 about=2" },
	{ TOTEM_TRACE_PEER_DEAD,
	    "peer-dead state=gather peer=7 reason=timeout" },
	{ TOTEM_TRACE_PEER_RESTARTED,
	    "peer-restarted state=gather peer=7 inc=2" },
	{ TOTEM_TRACE_ROW, "hears state=gather peer=7 nodes=7 version=1" },
	{ TOTEM_TRACE_MERGE_DETECTED, "merge state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_FAILED_TO_RECEIVE,
	    "failed-to-receive state=gather peer=7 aru=2" },
	{ TOTEM_TRACE_PAUSED, "paused state=gather peer=7 ms=0" },
	{ TOTEM_TRACE_GATE_OPENED,
	    "gate-opened state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_LEAVING, "leaving state=gather peer=7" },
	{ TOTEM_TRACE_LEFT, "left state=gather peer=7" },
	{ TOTEM_TRACE_LEAVE_RECEIVED,
	    "leave-received state=gather peer=7 ring_seq=2" },
	{ TOTEM_TRACE_MALFORMED, "malformed state=gather peer=7 len=2" },
};

static void
tell(const struct totem_trace *trace)
{
	struct text text;

	text_init(&text, space, sizeof space);
	totem_trace_text(trace, &text);
}

static void
test_totem_trace_lines_are_as_promised(void)
{
	struct totem_nodes table = { .count = 4, .id = { 3, 7, 9, 12 } };

	CHECK_EQ(ARRAY_COUNT(lines), TOTEM_TRACES);
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		struct totem_trace trace = { .id = (uint16_t)lines[i].id,
			.state = TOTEM_STATE_GATHER,
			.node = 7,
			.arg = { 2, 1, 5000000 },
			.table = &table };
		if (lines[i].id == TOTEM_TRACE_COMMIT_ENTERED)
			trace.arg[2] = 5; /* a set of two */
		tell(&trace);
		CHECK_STR(space, lines[i].want);
	}
}

static void
test_totem_trace_tells_times_unknown_reasons_and_no_peer(void)
{
	struct totem_nodes table = { .count = 1, .id = { 3 } };
	struct totem_trace trace = {
		.id = TOTEM_TRACE_PAUSED, .arg = { 1234567890 }, .table = &table
	};

	tell(&trace);
	CHECK_STR(space, "paused state=operational ms=1234");
	trace.id = TOTEM_TRACE_GATHER;
	trace.arg[0] = TOTEM_REASONS;
	tell(&trace);
	CHECK_STR(space, "gather state=operational reason=14");
	trace.id = TOTEM_TRACE_SETS;
	trace.arg[0] = 0;
	tell(&trace);
	CHECK_STR(space, "gather-sets state=operational proc= fail=");
}

/* ---- datagrams --------------------------------------------------------- */

static void
tell_packet(const uint8_t *bytes, size_t len)
{
	struct text text;

	text_init(&text, space, sizeof space);
	totem_packet_text(bytes, len, &text);
}

static void
test_totem_packet_text_says_what_it_is(void)
{
	const struct totem_nodes table = { .count = 1, .id = { 3 } };
	const struct totem_ring_id ring = { .seq = 7, .rep = 1, .nonce = 9 };
	const struct totem_frame frame = { .ring = ring,
		.seq = 40,
		.body = (const uint8_t *)"x",
		.body_len = 1 };
	const struct totem_token_ref ref = { .ring = ring, .token_seq = 5 };
	uint8_t bytes[64];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	totem_wire_put_frame(&wr, &table, &frame);
	tell_packet(bytes, wr.len);
	CHECK_STR(space, "data len=33 ring=1.7 seq=40");
	bytes[0] = TOTEM_PACKET_DATA_RETX;
	tell_packet(bytes, wr.len);
	CHECK_STR(space, "data-again len=33 ring=1.7 seq=40");

	wrbuf_init(&wr, bytes, sizeof bytes);
	totem_wire_put_ref(&wr, TOTEM_PACKET_TOKEN_ACK, &ref);
	tell_packet(bytes, wr.len);
	CHECK_STR(space, "token-ack len=25 ring=1.7 token_seq=5");
	tell_packet(bytes, wr.len - 1);
	CHECK_STR(space, "token-ack len=24");
	bytes[0] = TOTEM_PACKET_JOIN;
	tell_packet(bytes, wr.len);
	CHECK_STR(space, "join len=25");
	tell_packet(bytes, 0);
	CHECK_STR(space, "unknown len=0");
	bytes[0] = 200;
	tell_packet(bytes, 1);
	CHECK_STR(space, "unknown len=1");
}

/* ---- snapshots --------------------------------------------------------- */

static void
test_totem_status_tells_of_ring_and_peers(void)
{
	struct totem_status status;
	struct totem_peer_status peer;

	ringlet_open(&r, 3, NULL);
	ringlet_start(&r, 0);
	ringlet_start(&r, 1);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 3000 * RINGLET_MS));
	ringlet_run(&r, 100 * RINGLET_MS);
	struct totem *core = r.node[0].core;

	totem_status(core, r.now_ns, &status);
	CHECK_EQ(status.state, TOTEM_STATE_OPERATIONAL);
	CHECK_EQ(status.members.count, 2);
	CHECK_EQ(status.members.id[1], 2);
	CHECK_EQ(status.gathers[TOTEM_REASON_START], 1);
	CHECK_EQ(status.gather_reason, TOTEM_REASON_START);
	CHECK(status.is_gate_open);
	CHECK(status.token_age_ns < 50 * RINGLET_MS);
	CHECK(status.rotation_ns > 0);
	CHECK_EQ(status.queue_bytes_used, 0);
	CHECK(totem_count(core, TOTEM_COUNT_TOKENS) > 10);
	CHECK_EQ(totem_last_msg_no(core), 0);

	CHECK(!totem_peer_status(core, 9, r.now_ns, &peer));
	CHECK(totem_peer_status(core, 1, r.now_ns, &peer)); /* itself */
	CHECK(peer.is_alive && peer.is_bidirectional);
	CHECK(totem_peer_status(core, 2, r.now_ns, &peer));
	CHECK(peer.is_alive && peer.is_bidirectional);
	CHECK_EQ(peer.incarnation, 1);
	CHECK(peer.silent_ns < 50 * RINGLET_MS);
	CHECK(peer.suspect_after_ns < peer.dead_after_ns);
	CHECK(peer.packets_received > 10);
	CHECK(totem_peer_status(core, 3, r.now_ns, &peer));
	CHECK(!peer.is_alive && !peer.is_bidirectional);
	CHECK_EQ(peer.incarnation, 0);
	CHECK_EQ(peer.silent_ns, 0);
	ringlet_close(&r);
}

/* Effects that matter never find their room taken by narration. */
static void
test_totem_trace_is_told_when_asked_for(void)
{
	struct totem_config config;

	ringlet_config(&config);
	config.is_tracing = true;
	ringlet_open(&r, 3, &config);
	CHECK(ringlet_form(&r));
	struct totem_input in = { .kind = TOTEM_IN_LEAVE };
	struct totem_effect effect;
	bool has_left = false;

	in.now_ns = r.now_ns;
	totem_step(r.node[0].core, &in);
	while (totem_next(r.node[0].core, &effect))
		has_left |= effect.kind == TOTEM_OUT_TRACE &&
		    effect.trace.id == TOTEM_TRACE_LEFT;
	CHECK(has_left);
	ringlet_close(&r);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_names_are_words_and_differ),
		CHECK_TEST(test_totem_trace_lines_are_as_promised),
		CHECK_TEST(
		    test_totem_trace_tells_times_unknown_reasons_and_no_peer),
		CHECK_TEST(test_totem_packet_text_says_what_it_is),
		CHECK_TEST(test_totem_status_tells_of_ring_and_peers),
		CHECK_TEST(test_totem_trace_is_told_when_asked_for),
	};

	return CHECK_MAIN(argc, argv, tests);
}
