/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every decoder of the core's datagrams.  What is accepted must encode again:
 * to the same octets, or, of JOIN and COMMIT, whose lists may name more nodes
 * than they need, to something that says the same.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/text.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct totem_nodes table = {
	.count = 10,
	.id = { 1, 2, 3, 5, 8, 13, 21, 255, 256, 65535 },
};

static uint8_t again[TOTEM_WIRE_CONTROL_MAX];
static uint8_t third[TOTEM_WIRE_CONTROL_MAX];

static void
check_same(const struct wrbuf *wr, const uint8_t *bytes, size_t len)
{
	ENSURE(!wr->is_full);
	ENSURE(wr->len == len);
	ENSURE(memcmp(again, bytes, len) == 0);
}

static void
check_records(const struct totem_frame *frame)
{
	struct totem_record record;
	struct rdbuf rd;

	rdbuf_init(&rd, frame->body, frame->body_len);
	for (;;) {
		size_t at = rd.at;
		struct wrbuf wr;

		if (!totem_wire_get_record(&rd, &record))
			return;
		ENSURE(rd.at > at);
		ENSURE(record.bytes >= frame->body);
		ENSURE(record.bytes + record.len == frame->body + rd.at);
		wrbuf_init(&wr, again, sizeof again);
		totem_wire_put_record(&wr, &record);
		check_same(&wr, frame->body + at, rd.at - at - record.len);
	}
}

static void
check_frame(const uint8_t *bytes, size_t len)
{
	struct totem_frame frame;
	struct wrbuf wr;

	if (!totem_wire_get_frame(&table, bytes, len, &frame))
		return;
	check_records(&frame);
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_frame(&wr, &table, &frame);
	check_same(&wr, bytes, len);
}

static void
check_token(const uint8_t *bytes, size_t len)
{
	struct totem_token token;
	struct wrbuf wr;

	if (!totem_wire_get_token(&table, bytes, len, &token))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_token(&wr, &table, &token);
	check_same(&wr, bytes, len);
}

static void
check_ref(const uint8_t *bytes, size_t len)
{
	struct totem_token_ref ref;
	struct wrbuf wr;

	if (!totem_wire_get_ref(bytes, len, &ref))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_ref(&wr, (enum totem_packet)bytes[0], &ref);
	check_same(&wr, bytes, len);
}

static void
check_heartbeat(const uint8_t *bytes, size_t len)
{
	struct totem_heartbeat heartbeat;
	struct wrbuf wr;

	if (!totem_wire_get_heartbeat(&table, bytes, len, &heartbeat))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_heartbeat(&wr, &table, &heartbeat);
	check_same(&wr, bytes, len);
}

static void
check_witness(const uint8_t *bytes, size_t len)
{
	struct totem_witness witness;
	struct wrbuf wr;

	if (!totem_wire_get_witness(&table, bytes, len, &witness))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_witness(&wr, &table, &witness);
	check_same(&wr, bytes, len);
}

static void
check_leave(const uint8_t *bytes, size_t len)
{
	struct totem_ring_id ring;
	struct wrbuf wr;

	if (!totem_wire_get_leave(bytes, len, &ring))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_leave(&wr, &ring);
	check_same(&wr, bytes, len);
}

static void
check_merge(const uint8_t *bytes, size_t len)
{
	struct totem_merge merge;
	struct wrbuf wr;

	if (!totem_wire_get_merge(&table, bytes, len, &merge))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_merge(&wr, &table, &merge);
	check_same(&wr, bytes, len);
}

static void
check_join(const uint8_t *bytes, size_t len)
{
	static struct totem_join join, copy;
	struct wrbuf wr, more;

	memset(&join, 0, sizeof join);
	memset(&copy, 0, sizeof copy);
	if (!totem_wire_get_join(&table, bytes, len, &join) || join.proc == 0)
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_join(&wr, &table, &join);
	ENSURE(!wr.is_full && wr.len <= len);
	ENSURE(totem_wire_get_join(&table, again, wr.len, &copy));
	wrbuf_init(&more, third, sizeof third);
	totem_wire_put_join(&more, &table, &copy);
	check_same(&wr, third, more.len);
}

static void
check_commit(const uint8_t *bytes, size_t len)
{
	static struct totem_commit commit, copy;
	struct wrbuf wr, more;

	memset(&commit, 0, sizeof commit);
	memset(&copy, 0, sizeof copy);
	if (!totem_wire_get_commit(&table, bytes, len, &commit))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_commit(&wr, &table, &commit);
	ENSURE(!wr.is_full && wr.len <= len);
	ENSURE(totem_wire_get_commit(&table, again, wr.len, &copy));
	wrbuf_init(&more, third, sizeof third);
	totem_wire_put_commit(&more, &table, &copy);
	check_same(&wr, third, more.len);
}

/* A part, and the control message as if it were whole in it. */
static void
check_part(const uint8_t *bytes, size_t len)
{
	struct totem_part part;
	struct wrbuf wr;

	if (!totem_wire_get_part(bytes, len, &part))
		return;
	wrbuf_init(&wr, again, sizeof again);
	totem_wire_put_part(&wr, &part);
	check_same(&wr, bytes, len);
	check_join(part.bytes, part.len);
	check_commit(part.bytes, part.len);
}

static void
check_words(const uint8_t *bytes, size_t len)
{
	char line[300];
	struct text text;

	text_init(&text, line, sizeof line);
	totem_packet_text(bytes, len, &text);
	ENSURE(memchr(line, '\n', text.len) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len > LIMIT_FRAME_BYTES_MAX)
		return 0;
	check_frame(bytes, len);
	check_token(bytes, len);
	check_ref(bytes, len);
	check_heartbeat(bytes, len);
	check_witness(bytes, len);
	check_leave(bytes, len);
	check_merge(bytes, len);
	check_part(bytes, len);
	check_words(bytes, len);
	return 0;
}
