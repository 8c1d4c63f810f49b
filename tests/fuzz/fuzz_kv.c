/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first octet chooses: commands, each behind its length, to two states
 * that must stay equal; a snapshot as it is; or its frames, each behind its
 * length, with right sums.  A snapshot that is taken must be a sound state
 * that gives an equal one.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/cfgstored/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MEMORY_BYTES = 8 << 20, SNAPSHOT_BYTES = 1 << 20 };

static _Alignas(64) uint8_t memories[2][MEMORY_BYTES];
static uint8_t snapshot[SNAPSHOT_BYTES];

static struct kv *
make(size_t idx)
{
	static const struct kv_config cfg = { { 32, 65536, 65536, 4 }, 16,
		65536 };
	struct arena arena;

	arena_init(&arena, NULL, 0);
	kv_create(&arena, &cfg);
	ENSURE(arena.used_bytes <= MEMORY_BYTES);
	arena_init(&arena, memories[idx], MEMORY_BYTES);
	return kv_create(&arena, &cfg);
}

/* Unless it says that it cannot be: what it holds, another can hold. */
static void
go_round(const struct kv *kv, struct kv *other)
{
	struct kv_writer writer;
	struct kv_reader reader;
	size_t len;

	kv_clear(other);
	kv_reader_init(&reader, other);
	kv_writer_init(&writer, kv);
	while ((len = kv_writer_next(&writer, snapshot, sizeof snapshot)) > 0)
		ENSURE(kv_reader_take(&reader, snapshot, len) == 0);
	ENSURE(reader.is_done);
	kv_check(other);
	ENSURE(kv_digest(other) == kv_digest(kv));
}

static const uint8_t *
piece(struct rdbuf *rd, size_t *len)
{
	*len = rdbuf_u16(rd);
	*len = (size_t)num_min(*len, rdbuf_left(rd));
	return rdbuf_bytes(rd, *len);
}

static void
run_commands(struct rdbuf *rd)
{
	struct kv *one = make(0), *two = make(1);
	struct kv_author author = { 1, 1, 1 };
	struct kv_result a, b;

	while (rdbuf_left(rd) > 2) {
		size_t len;
		const uint8_t *bytes = piece(rd, &len);

		kv_apply(one, &author, bytes, len, &a);
		kv_apply(two, &author, bytes, len, &b);
		ENSURE(a.code == b.code && a.rev == b.rev && a.at == b.at);
		kv_check(one);
		if (a.code == KV_LACK)
			return;
		author.number++;
	}
	ENSURE(kv_digest(one) == kv_digest(two));
	go_round(one, two);
}

static size_t
sum_up(struct rdbuf *rd)
{
	struct wrbuf wr;
	uint32_t crc = 0;

	wrbuf_init(&wr, snapshot, sizeof snapshot);
	while (rdbuf_left(rd) > 2) {
		size_t len;
		const uint8_t *bytes = piece(rd, &len);

		if (len == 0 || wrbuf_left(&wr) < len + 8)
			continue;
		crc = crc32c_more(crc, bytes, len);
		wrbuf_u32(&wr, (uint32_t)len - 1);
		wrbuf_u32(&wr, crc);
		wrbuf_bytes(&wr, bytes, len);
	}
	return wr.len;
}

static void
run_snapshot(const uint8_t *bytes, size_t len)
{
	struct kv *kv = make(0);
	struct kv_reader reader;

	kv_reader_init(&reader, kv);
	if (kv_reader_take(&reader, bytes, len) != 0 || !reader.is_done)
		return;
	kv_check(kv);
	go_round(kv, make(1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rdbuf rd;
	uint8_t mode;

	rdbuf_init(&rd, bytes, len);
	mode = rdbuf_u8(&rd) % 3;
	if (mode == 0)
		run_commands(&rd);
	else if (mode == 1 && len > 1)
		run_snapshot(bytes + 1, len - 1);
	else if (mode == 2)
		run_snapshot(snapshot, sum_up(&rd));
	return 0;
}
