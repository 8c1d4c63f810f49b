/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clear header and the HELLO, and the handshake they drive: the input is a
 * run of datagrams, each after its length (2 octets) and a step of time (1).
 * As if the attacker had the key, every one counts as authentic.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"

#include "bin/ringd/mcast.h"
#include "bin/ringd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static _Alignas(64) unsigned char block[65536];

static struct session *
make_session(void)
{
	struct session_config cfg = {
		.self = 2,
		.node_count = 3,
		.nodes = { 1, 2, 3 },
		.cluster_tag = 0x01020304,
		.key_id = 1,
		.ciphers = 3,
	};
	struct session_boot boot = { 1, 5, 6 };
	struct arena arena;

	arena_init(&arena, block, sizeof block);
	return session_create(&arena, &cfg, &boot);
}

static void
pull(struct session *s, uint64_t now_ns)
{
	struct session_effect effect;
	uint32_t count = 0;

	while (session_next(s, &effect)) {
		ENSURE(++count <= 8);
		if (effect.kind == SESSION_OUT_HELLO)
			ENSURE(
			    effect.peer < 3 && effect.hello.incarnation == 6);
		if (effect.kind == SESSION_OUT_REKEY)
			session_rekey(s, now_ns | 1, now_ns);
	}
	session_assert(s);
}

/* What was decoded is what would be encoded. */
static void
check_header(const uint8_t *bytes, const struct session_header *header)
{
	uint8_t again[SESSION_HEADER_BYTES];

	session_header_put(header, again);
	ENSURE(memcmp(again, bytes, sizeof again) == 0);
}

static bool
get_hello(const uint8_t *bytes, size_t len, struct session_hello *hello)
{
	uint8_t again[SESSION_HELLO_BYTES];

	if (!session_hello_get(bytes, len, hello))
		return false;
	session_hello_put(hello, again);
	ENSURE(len == sizeof again && memcmp(again, bytes, len) == 0);
	return true;
}

static enum session_refusal
bury(struct session *s, uint32_t peer, const uint8_t *bytes, uint64_t now_ns)
{
	struct session_obituary obituary;
	uint8_t again[SESSION_OBITUARY_BYTES];

	if (!session_obituary_get(bytes, sizeof again, &obituary))
		return SESSION_REFUSED_MALFORMED;
	session_obituary_put(&obituary, again);
	ENSURE(memcmp(again, bytes, sizeof again) == 0);
	return session_bury(s, peer, obituary.incarnation, now_ns)
	    ? SESSION_OK
	    : SESSION_REFUSED_INCARNATION;
}

static enum session_refusal
report(const uint8_t *bytes)
{
	struct mcast_report report;
	uint8_t again[MCAST_REPORT_BYTES];
	static const uint8_t reserved[7];

	if (!mcast_report_get(bytes, sizeof again, &report))
		return SESSION_REFUSED_MALFORMED;
	mcast_report_put(&report, again);
	ENSURE(again[0] == bytes[0]);
	ENSURE(memcmp(again + 1, reserved, sizeof reserved) == 0);
	ENSURE(memcmp(again + 8, bytes + 8, sizeof again - 8) == 0);
	return SESSION_OK;
}

static enum session_refusal
hear(struct session *s, const uint8_t *bytes, size_t len, uint64_t now_ns,
    uint32_t *peer)
{
	/* A challenge that a fuzzer can guess: it is to get far. */
	struct session_now now = { now_ns, 7 };
	struct session_header header;
	struct session_hello hello;
	enum session_refusal refusal = session_header_get(bytes, len, &header);
	bool is_believed;

	*peer = SESSION_NO_PEER;
	if (refusal != SESSION_OK)
		return refusal;
	check_header(bytes, &header);
	refusal = session_find(s, &header, peer);
	if (refusal == SESSION_OK && header.kind == SESSION_OBITUARY)
		return bury(s, *peer, bytes + SESSION_HEADER_BYTES, now_ns);
	if (refusal == SESSION_OK)
		refusal =
		    session_check(s, *peer, &header, now_ns, &is_believed);
	if (refusal != SESSION_OK)
		return refusal;
	if (header.kind == SESSION_LINK)
		return is_believed ? SESSION_OK : SESSION_REFUSED_SESSION;
	if (header.kind == SESSION_DATA || header.kind == SESSION_PIECE)
		return session_pass(s, *peer, &header) == 0
		    ? SESSION_REFUSED_INCARNATION
		    : SESSION_OK;
	if (header.kind == SESSION_REPORT)
		return report(bytes + SESSION_HEADER_BYTES);
	if (!get_hello(bytes + SESSION_HEADER_BYTES,
		len - SESSION_OVERHEAD_BYTES, &hello))
		return SESSION_REFUSED_MALFORMED;
	return session_hear(s, *peer, &header, &hello, &now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct session *s = make_session();
	uint64_t now_ns = 1, refused = 0, total = 0;
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	while (rdbuf_left(&rd) > 3) {
		struct session_now now = { now_ns, 7 };
		size_t size = rdbuf_u16(&rd);
		enum session_refusal refusal;
		uint32_t peer;

		now_ns += (uint64_t)rdbuf_u8(&rd) * 1000000;
		size = num_min(size, rdbuf_left(&rd));
		refusal = hear(s, rdbuf_bytes(&rd, size), size, now_ns, &peer);
		if (refusal != SESSION_OK) {
			(void)session_refuse(s, peer, refusal, now_ns);
			refused++;
		}
		pull(s, now_ns);
		now.now_ns = now_ns;
		if (session_deadline_ns(s) <= now_ns)
			session_tick(s, &now);
		pull(s, now_ns);
	}
	for (int i = SESSION_OK + 1; i < SESSION_REFUSALS; i++)
		total += session_refused_total(s, (enum session_refusal)i);
	ENSURE(total == refused);
	return 0;
}
