/* SPDX-License-Identifier: BSD-3-Clause */
/* The core in words: names, narration, and what a datagram says. */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/ringd/totem_internal.h"

const char *
totem_state_name(enum totem_state state)
{
	static const char *const name[TOTEM_STATES] = { "operational", "gather",
		"commit", "recovery", "left" };

	ENSURE(state < TOTEM_STATES);
	return name[state];
}

const char *
totem_reason_name(enum totem_reason reason)
{
	static const char *const name[TOTEM_REASONS] = {
		[TOTEM_REASON_NONE] = "none",
		[TOTEM_REASON_START] = "start",
		[TOTEM_REASON_TIMEOUT] = "timeout",
		[TOTEM_REASON_CONSENSUS] = "consensus",
		[TOTEM_REASON_PROOF] = "proof",
		[TOTEM_REASON_LEAVE] = "leave",
		[TOTEM_REASON_RESTART] = "restart",
		[TOTEM_REASON_CONNECTIVITY] = "connectivity",
		[TOTEM_REASON_RECEIVE] = "failed-to-receive",
		[TOTEM_REASON_TOKEN_LOSS] = "token-loss",
		[TOTEM_REASON_JOIN] = "join",
		[TOTEM_REASON_MERGE] = "merge",
		[TOTEM_REASON_PAUSE] = "pause",
		[TOTEM_REASON_PROTOCOL] = "protocol",
	};

	ENSURE(reason < TOTEM_REASONS);
	return name[reason];
}

const char *
totem_packet_name(enum totem_packet packet)
{
	static const char *const name[TOTEM_PACKETS] = {
		[TOTEM_PACKET_DATA] = "data",
		[TOTEM_PACKET_DATA_RETX] = "data-again",
		[TOTEM_PACKET_TOKEN] = "token",
		[TOTEM_PACKET_TOKEN_ACK] = "token-ack",
		[TOTEM_PACKET_HOLD_CANCEL] = "hold-cancel",
		[TOTEM_PACKET_HEARTBEAT] = "heartbeat",
		[TOTEM_PACKET_JOIN] = "join",
		[TOTEM_PACKET_COMMIT] = "commit",
		[TOTEM_PACKET_LEAVE] = "leave",
		[TOTEM_PACKET_MERGE_DETECT] = "merge-detect",
		[TOTEM_PACKET_WITNESS] = "witness",
	};

	if (packet < TOTEM_PACKET_DATA || packet >= TOTEM_PACKETS)
		return "unknown";
	return name[packet];
}

const char *
totem_counter_name(enum totem_counter counter)
{
	static const char *const name[TOTEM_COUNTERS] = {
		[TOTEM_COUNT_TOKENS] = "tokens",
		[TOTEM_COUNT_TOKEN_DUPLICATES] = "token_duplicates",
		[TOTEM_COUNT_TOKEN_RETRANSMITS] = "token_retransmits",
		[TOTEM_COUNT_TOKEN_LOSSES] = "token_losses",
		[TOTEM_COUNT_TOKEN_REFUSED] = "tokens_refused",
		[TOTEM_COUNT_FRAMES_SENT] = "frames_sent",
		[TOTEM_COUNT_FRAMES_RECEIVED] = "frames_received",
		[TOTEM_COUNT_FRAMES_DUPLICATE] = "frames_duplicate",
		[TOTEM_COUNT_FRAMES_FOREIGN] = "frames_foreign",
		[TOTEM_COUNT_FRAMES_REFUSED] = "frames_refused",
		[TOTEM_COUNT_RETRANSMITS_SENT] = "retransmits_sent",
		[TOTEM_COUNT_RETRANSMITS_ASKED] = "retransmits_asked",
		[TOTEM_COUNT_MESSAGES_SENT] = "messages_sent",
		[TOTEM_COUNT_MESSAGES_DELIVERED] = "messages_delivered",
		[TOTEM_COUNT_BYTES_DELIVERED] = "bytes_delivered",
		[TOTEM_COUNT_HOLDS] = "holds",
		[TOTEM_COUNT_HOLD_CANCELS] = "hold_cancels",
		[TOTEM_COUNT_JOINS_SENT] = "joins_sent",
		[TOTEM_COUNT_JOINS_RECEIVED] = "joins_received",
		[TOTEM_COUNT_JOINS_IGNORED] = "joins_ignored",
		[TOTEM_COUNT_COMMITS] = "commits",
		[TOTEM_COUNT_GATHERS] = "gathers",
		[TOTEM_COUNT_VIEWS] = "views",
		[TOTEM_COUNT_RECOVERED] = "frames_recovered",
		[TOTEM_COUNT_PAUSES] = "pauses",
		[TOTEM_COUNT_SUSPICIONS] = "suspicions",
		[TOTEM_COUNT_SUSPICIONS_REFUTED] = "suspicions_refuted",
		[TOTEM_COUNT_DEATHS] = "deaths",
		[TOTEM_COUNT_CUTS] = "cuts",
		[TOTEM_COUNT_PACKETS_MALFORMED] = "packets_malformed",
		[TOTEM_COUNT_PACKETS_STALE] = "packets_stale",
		[TOTEM_COUNT_PACKETS_UNKNOWN] = "packets_unknown",
		[TOTEM_COUNT_CONFIG_MISMATCH] = "config_mismatches",
		[TOTEM_COUNT_NO_CELL] = "no_cell",
	};

	ENSURE(counter < TOTEM_COUNTERS);
	return name[counter];
}

bool
totem_ring_equal(struct totem_ring_id a, struct totem_ring_id b)
{
	return a.seq == b.seq && a.rep == b.rep && a.nonce == b.nonce;
}

void
totem_ring_text(struct totem_ring_id ring, struct text *out)
{
	text_put_u64(out, ring.rep);
	text_put_char(out, '.');
	text_put_u64(out, ring.seq);
}

/* ---- narration --------------------------------------------------------- */

/*
 * One letter an argument: u a number, r a reason, s a set of nodes, m
 * nanoseconds told as milliseconds.
 */
struct words {
	const char *event;
	const char *key[3];
	const char *form;
};

static const struct words words[TOTEM_TRACES] = {
	[TOTEM_TRACE_GATHER] = { "gather", { "reason" }, "r" },
	[TOTEM_TRACE_SETS] = { "gather-sets", { "proc", "fail" }, "ss" },
	[TOTEM_TRACE_FAIL] = { "gather-fail", { "reason" }, "r" },
	[TOTEM_TRACE_JOIN_SENT] = { "join-sent", { "proc", "fail", "ring_seq" },
	    "ssu" },
	[TOTEM_TRACE_JOIN_RECEIVED] = { "join-received", { "ring_seq" }, "u" },
	[TOTEM_TRACE_JOIN_IGNORED] = { "join-ignored", { "ring_seq" }, "u" },
	[TOTEM_TRACE_COMMIT_CREATED] = { "commit-created",
	    { "ring_seq", "members" }, "us" },
	[TOTEM_TRACE_COMMIT_ENTERED] = { "commit",
	    { "ring_seq", "filled", "members" }, "uus" },
	[TOTEM_TRACE_COMMIT_REFUSED] = { "commit-refused", { "ring_seq" },
	    "u" },
	[TOTEM_TRACE_RECOVERY] = { "recovery",
	    { "ring_seq", "transitional", "to_send" }, "usu" },
	[TOTEM_TRACE_RECOVERY_ACKED] = { "recovery-acked",
	    { "install_seq", "obliged" }, "us" },
	[TOTEM_TRACE_INSTALL] = { "install",
	    { "ring_seq", "members", "install_seq" }, "usu" },
	[TOTEM_TRACE_INSTALL_CUT] = { "install-cut", { "cut", "gap", "top" },
	    "uuu" },
	[TOTEM_TRACE_TOKEN_RECEIVED] = { "token-received",
	    { "token_seq", "seq", "aru" }, "uuu" },
	[TOTEM_TRACE_TOKEN_SENT] = { "token-sent",
	    { "token_seq", "seq", "aru" }, "uuu" },
	[TOTEM_TRACE_TOKEN_REFUSED] = { "token-refused", { NULL }, "" },
	[TOTEM_TRACE_TOKEN_DUPLICATE] = { "token-duplicate",
	    { "token_seq", "seen" }, "uu" },
	[TOTEM_TRACE_TOKEN_RESENT] = { "token-resent", { "token_seq", "try" },
	    "uu" },
	[TOTEM_TRACE_TOKEN_LOST] = { "token-lost", { "token_seq" }, "u" },
	[TOTEM_TRACE_TOKEN_HELD] = { "token-held", { "token_seq" }, "u" },
	[TOTEM_TRACE_HOLD_CANCEL_SENT] = { "hold-cancel", { "token_seq" },
	    "u" },
	[TOTEM_TRACE_HOLD_RELEASED] = { "hold-released", { "token_seq" }, "u" },
	[TOTEM_TRACE_RETRANSMITTED] = { "retransmitted",
	    { "frames", "entries_left" }, "uu" },
	[TOTEM_TRACE_PEER_ALIVE] = { "peer-alive", { "inc" }, "u" },
	[TOTEM_TRACE_PEER_SUSPECT] = { "peer-suspect", { "silent_ms" }, "m" },
	[TOTEM_TRACE_PEER_TESTIMONY] = { "testimony", { "about" }, "u" },
	[TOTEM_TRACE_PEER_DEAD] = { "peer-dead", { "reason" }, "r" },
	[TOTEM_TRACE_PEER_RESTARTED] = { "peer-restarted", { "inc" }, "u" },
	[TOTEM_TRACE_ROW] = { "hears", { "nodes", "version" }, "su" },
	[TOTEM_TRACE_MERGE_DETECTED] = { "merge", { "ring_seq" }, "u" },
	[TOTEM_TRACE_FAILED_TO_RECEIVE] = { "failed-to-receive", { "aru" },
	    "u" },
	[TOTEM_TRACE_PAUSED] = { "paused", { "ms" }, "m" },
	[TOTEM_TRACE_GATE_OPENED] = { "gate-opened", { "ring_seq" }, "u" },
	[TOTEM_TRACE_LEAVING] = { "leaving", { NULL }, "" },
	[TOTEM_TRACE_LEFT] = { "left", { NULL }, "" },
	[TOTEM_TRACE_LEAVE_RECEIVED] = { "leave-received", { "ring_seq" },
	    "u" },
	[TOTEM_TRACE_MALFORMED] = { "malformed", { "len" }, "u" },
};

static void
put_set(struct text *out, const struct totem_nodes *table, uint64_t set)
{
	bool is_first = true;

	for (uint32_t i = 0; i < table->count; i++) {
		if (!(set >> i & 1))
			continue;
		if (!is_first)
			text_put_char(out, ',');
		text_put_u64(out, table->id[i]);
		is_first = false;
	}
}

static void
put_arg(
    struct text *out, const struct totem_trace *trace, char form, uint64_t arg)
{
	if (form == 's')
		put_set(out, trace->table, arg);
	else if (form == 'r' && arg < TOTEM_REASONS)
		text_put(out, totem_reason_name((enum totem_reason)arg));
	else if (form == 'm')
		text_put_u64(out, arg / TOTEM_MS);
	else
		text_put_u64(out, arg);
}

void
totem_trace_text(const struct totem_trace *trace, struct text *out)
{
	ENSURE(trace->id < TOTEM_TRACES);
	const struct words *line = &words[trace->id];

	text_put(out, line->event);
	text_put(out, " state=");
	text_put(out, totem_state_name((enum totem_state)trace->state));
	if (trace->node != 0) {
		text_put(out, " peer=");
		text_put_u64(out, trace->node);
	}
	for (size_t i = 0; line->form[i] != '\0'; i++) {
		text_put_char(out, ' ');
		text_put(out, line->key[i]);
		text_put_char(out, '=');
		put_arg(out, trace, line->form[i], trace->arg[i]);
	}
}

void
totem_packet_text(const uint8_t *bytes, size_t len, struct text *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	enum totem_packet packet = (enum totem_packet)rdbuf_u8(&rd);
	text_put(out, totem_packet_name(packet));
	text_put(out, " len=");
	text_put_u64(out, len);
	bool is_data =
	    packet == TOTEM_PACKET_DATA || packet == TOTEM_PACKET_DATA_RETX;
	if (is_data)
		(void)rdbuf_bytes(&rd, 7);
	bool has_ring = is_data || packet == TOTEM_PACKET_TOKEN ||
	    packet == TOTEM_PACKET_TOKEN_ACK ||
	    packet == TOTEM_PACKET_HOLD_CANCEL;
	if (!has_ring)
		return;
	struct totem_ring_id ring = { .seq = rdbuf_u64(&rd),
		.rep = rdbuf_u32(&rd),
		.nonce = rdbuf_u32(&rd) };
	uint64_t number = rdbuf_u64(&rd);
	if (rd.is_short)
		return;
	text_put(out, " ring=");
	totem_ring_text(ring, out);
	text_put(out, is_data ? " seq=" : " token_seq=");
	text_put_u64(out, number);
}
