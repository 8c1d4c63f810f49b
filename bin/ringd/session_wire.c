/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of the clear header, the HELLO and the OBITUARY; no other file
 * knows it.
 * Big-endian.  The version is the first octet of every datagram, in this and
 * in every later version.
 *
 *	version 1 | kind 1 | cipher 1 | key id 1 | cluster tag 4
 *	sender 2 | dst 2 | session 8 | counter 8 | salt 4
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/session.h"

enum {
	SESSION_CIPHER_FIRST = 1,
	SESSION_CIPHER_LAST = 2,
};

static bool
session_kind_is_valid(const struct session_header *header)
{
	switch (header->kind) {
	case SESSION_DATA:
	case SESSION_PIECE:
		return true;
	case SESSION_HELLO:
	case SESSION_LINK:
		return header->dst != 0 &&
		    header->cipher == SESSION_CIPHER_FIRST;
	case SESSION_OBITUARY:
	case SESSION_REPORT:
		return header->dst == 0 &&
		    header->cipher == SESSION_CIPHER_FIRST;
	}
	return false;
}

/* What has but one length. */
static bool
session_len_is_valid(enum session_kind kind, size_t len)
{
	if (kind == SESSION_HELLO)
		return len == SESSION_OVERHEAD_BYTES + SESSION_HELLO_BYTES;
	if (kind == SESSION_OBITUARY)
		return len == SESSION_OVERHEAD_BYTES + SESSION_OBITUARY_BYTES;
	if (kind == SESSION_REPORT)
		return len == SESSION_OVERHEAD_BYTES + SESSION_REPORT_BYTES;
	return true;
}

static bool
session_header_is_valid(const struct session_header *header)
{
	return session_kind_is_valid(header) &&
	    (header->cipher == SESSION_CIPHER_FIRST ||
		header->cipher == SESSION_CIPHER_LAST) &&
	    header->key_id != 0 && header->sender != 0 &&
	    header->sender <= LIMIT_NODE_ID_MAX &&
	    header->dst <= LIMIT_NODE_ID_MAX && header->session != 0 &&
	    header->counter != 0;
}

void
session_header_put(
    const struct session_header *header, uint8_t out[SESSION_HEADER_BYTES])
{
	struct wrbuf wr;

	ENSURE(session_header_is_valid(header));
	wrbuf_init(&wr, out, SESSION_HEADER_BYTES);
	wrbuf_u8(&wr, SESSION_VERSION);
	wrbuf_u8(&wr, (uint8_t)header->kind);
	wrbuf_u8(&wr, header->cipher);
	wrbuf_u8(&wr, header->key_id);
	wrbuf_u32(&wr, header->cluster_tag);
	wrbuf_u16(&wr, (uint16_t)header->sender);
	wrbuf_u16(&wr, (uint16_t)header->dst);
	wrbuf_u64(&wr, header->session);
	wrbuf_u64(&wr, header->counter);
	wrbuf_u32(&wr, header->salt);
	ENSURE(wr.len == SESSION_HEADER_BYTES && !wr.is_full);
}

/* bytes must be as many as a header has. */
static void
session_header_read(const uint8_t *bytes, struct session_header *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, SESSION_HEADER_BYTES);
	(void)rdbuf_u8(&rd); /* the version */
	out->kind = (enum session_kind)rdbuf_u8(&rd);
	out->cipher = rdbuf_u8(&rd);
	out->key_id = rdbuf_u8(&rd);
	out->cluster_tag = rdbuf_u32(&rd);
	out->sender = rdbuf_u16(&rd);
	out->dst = rdbuf_u16(&rd);
	out->session = rdbuf_u64(&rd);
	out->counter = rdbuf_u64(&rd);
	out->salt = rdbuf_u32(&rd);
	ENSURE(rdbuf_is_done(&rd));
}

enum session_refusal
session_header_get(const uint8_t *bytes, size_t len, struct session_header *out)
{
	if (len <= SESSION_OVERHEAD_BYTES)
		return SESSION_REFUSED_MALFORMED;
	if (bytes[0] != SESSION_VERSION)
		return SESSION_REFUSED_VERSION;
	session_header_read(bytes, out);
	if (!session_header_is_valid(out) ||
	    !session_len_is_valid(out->kind, len))
		return SESSION_REFUSED_MALFORMED;
	return SESSION_OK;
}

bool
session_header_peek(
    const uint8_t *bytes, size_t len, struct session_header *out)
{
	if (len < SESSION_HEADER_BYTES || bytes[0] != SESSION_VERSION)
		return false;
	session_header_read(bytes, out);
	return session_header_is_valid(out);
}

void
session_hello_put(
    const struct session_hello *hello, uint8_t out[SESSION_HELLO_BYTES])
{
	struct wrbuf wr;

	ENSURE(hello->incarnation != 0 && hello->ciphers != 0);
	wrbuf_init(&wr, out, SESSION_HELLO_BYTES);
	wrbuf_u64(&wr, hello->incarnation);
	wrbuf_u64(&wr, hello->challenge);
	wrbuf_u64(&wr, hello->echo);
	wrbuf_u64(&wr, hello->to_session);
	wrbuf_u64(&wr, hello->highest);
	wrbuf_u64(&wr, hello->outlived);
	wrbuf_u64(&wr, hello->table_hash);
	wrbuf_u8(&wr, hello->ciphers);
	ENSURE(wr.len == SESSION_HELLO_BYTES && !wr.is_full);
}

bool
session_hello_get(const uint8_t *bytes, size_t len, struct session_hello *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	out->incarnation = rdbuf_u64(&rd);
	out->challenge = rdbuf_u64(&rd);
	out->echo = rdbuf_u64(&rd);
	out->to_session = rdbuf_u64(&rd);
	out->highest = rdbuf_u64(&rd);
	out->outlived = rdbuf_u64(&rd);
	out->table_hash = rdbuf_u64(&rd);
	out->ciphers = rdbuf_u8(&rd);
	/* Every machine has the first cipher; unknown bits are of others. */
	return rdbuf_is_done(&rd) && out->incarnation != 0 &&
	    (out->ciphers & SESSION_CIPHER_FIRST);
}

void
session_obituary_put(const struct session_obituary *obituary,
    uint8_t out[SESSION_OBITUARY_BYTES])
{
	struct wrbuf wr;

	ENSURE(obituary->incarnation != 0);
	wrbuf_init(&wr, out, SESSION_OBITUARY_BYTES);
	wrbuf_u64(&wr, obituary->incarnation);
	wrbuf_u8(&wr, (uint8_t)obituary->death);
	wrbuf_u8(&wr, obituary->number);
	ENSURE(wr.len == SESSION_OBITUARY_BYTES && !wr.is_full);
}

bool
session_obituary_get(
    const uint8_t *bytes, size_t len, struct session_obituary *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	out->incarnation = rdbuf_u64(&rd);
	out->death = (enum session_death)rdbuf_u8(&rd);
	out->number = rdbuf_u8(&rd);
	return rdbuf_is_done(&rd) && out->incarnation != 0 &&
	    out->death >= SESSION_DEATH_SIGNAL &&
	    out->death <= SESSION_DEATH_EXIT;
}

const char *
session_death_name(enum session_death death)
{
	switch (death) {
	case SESSION_DEATH_SIGNAL:
		return "signal";
	case SESSION_DEATH_HANG:
		return "hang";
	case SESSION_DEATH_EXIT:
		break;
	}
	return "exit";
}

const char *
session_refusal_name(enum session_refusal refusal)
{
	static const char *const names[SESSION_REFUSALS] = {
		[SESSION_OK] = "ok",
		[SESSION_REFUSED_MALFORMED] = "malformed",
		[SESSION_REFUSED_VERSION] = "version",
		[SESSION_REFUSED_CLUSTER] = "cluster",
		[SESSION_REFUSED_KEY_ID] = "key-id",
		[SESSION_REFUSED_NODE] = "node",
		[SESSION_REFUSED_ADDRESS] = "address",
		[SESSION_REFUSED_DESTINATION] = "destination",
		[SESSION_REFUSED_CIPHER] = "cipher",
		[SESSION_REFUSED_TAG] = "tag",
		[SESSION_REFUSED_SESSION] = "session",
		[SESSION_REFUSED_REPLAY] = "replay",
		[SESSION_REFUSED_INCARNATION] = "incarnation",
	};

	ENSURE((size_t)refusal < ARRAY_COUNT(names));
	return names[refusal];
}
