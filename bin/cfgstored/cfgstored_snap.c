/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_snap.h"

#include <sys/stat.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/fd.h"

#include "bin/cfgstored/kv.h"

enum {
	VERSION = 1,
	HEAD_BYTES = 16 + 4 + 32 + 4 + 8 + 4,
	FRAME_HEAD_BYTES = 9,
};

static const uint8_t magic[16] = "ringkit-cfg-snp\n";

/* Of the only process that writes or reads one. */
static uint8_t buffer[CFGSTORED_FILE_SLOW_BYTES];
static uint8_t words[CFGSTORED_DISK_WORDS_BYTES_MAX];

struct head {
	struct kv_tip tip;
	uint32_t words_len;
	uint64_t len;
};

static void
put_head(const struct head *head, const void *said, uint8_t out[HEAD_BYTES])
{
	struct wrbuf wr;
	uint32_t crc;

	wrbuf_init(&wr, out, HEAD_BYTES);
	wrbuf_bytes(&wr, magic, sizeof magic);
	wrbuf_u32(&wr, VERSION);
	wrbuf_u64(&wr, head->tip.epoch.view_seq);
	wrbuf_u32(&wr, head->tip.epoch.view_rep);
	wrbuf_u64(&wr, head->tip.epoch.pos_seq);
	wrbuf_u32(&wr, head->tip.epoch.pos_idx);
	wrbuf_u64(&wr, head->tip.index);
	wrbuf_u32(&wr, head->words_len);
	wrbuf_u64(&wr, head->len);
	crc = crc32c_more(0, out, wr.len);
	wrbuf_u32(&wr, crc32c_more(crc, said, head->words_len));
}

/* ---- writing ----------------------------------------------------------- */

static int
write_at(struct cfgstored_file *file, uint64_t at, void *bytes, size_t len)
{
	struct iovec piece = { bytes, len };

	return cfgstored_file_write(file, at, &piece, 1);
}

/* The head comes last: it says how long all is. */
static int
write_all(struct cfgstored_file *file, const struct cfgstored_disk_save *save)
{
	struct head head = { .tip = save->tip,
		.words_len = (uint32_t)save->len,
		.len = HEAD_BYTES + save->len };
	uint8_t bytes[HEAD_BYTES];
	struct kv_writer writer;
	bool is_first = true;
	size_t len;
	int rc;

	memcpy(words, save->words, save->len);
	rc = write_at(file, HEAD_BYTES, words, save->len);
	kv_writer_init(&writer, save->kv);
	while (rc == 0 &&
	    (len = kv_writer_next(&writer, buffer, sizeof buffer)) > 0) {
		if (!is_first)
			rc = cfgstored_file_sync_slowly(file);
		is_first = false;
		if (rc == 0)
			rc = write_at(file, head.len, buffer, len);
		head.len += len;
	}
	put_head(&head, words, bytes);
	if (rc == 0)
		rc = write_at(file, 0, bytes, sizeof bytes);
	return rc == 0 ? cfgstored_file_sync(file) : rc;
}

int
cfgstored_snap_write(const struct cfgstored_folder *folder,
    const struct cfgstored_disk_save *save)
{
	const char *suffix = save->purpose == CFGSTORED_DISK_TAKEN ? ".in" : "";
	char name[CFGSTORED_FILE_NAME_BYTES], new[CFGSTORED_FILE_NAME_BYTES];
	struct cfgstored_file file;
	int rc;

	cfgstored_file_name(name, "snap-", save->tip.index, suffix);
	cfgstored_file_name(new, "snap-", save->tip.index, ".new");
	rc = cfgstored_file_create(&file, folder, new);
	if (rc < 0)
		return rc;
	rc = write_all(&file, save);
	cfgstored_file_close(&file);
	if (rc == 0)
		rc = cfgstored_folder_rename(folder, new, name);
	if (rc < 0)
		(void)cfgstored_folder_remove(folder, new);
	return rc == 0 ? cfgstored_folder_sync(folder) : rc;
}

/* ---- reading ----------------------------------------------------------- */

static int
read_full(int fd, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The head is the same in all versions; what it stands before need not be. */
static bool
is_foreign(const uint8_t bytes[HEAD_BYTES], const struct head *head)
{
	uint32_t crc = crc32c_more(0, bytes, HEAD_BYTES - 4);
	struct rdbuf rd;

	if (memcmp(bytes, magic, sizeof magic) != 0)
		return false;
	rdbuf_init(&rd, bytes + sizeof magic, 4);
	if (rdbuf_u32(&rd) == VERSION)
		return false;
	rdbuf_init(&rd, bytes + HEAD_BYTES - 4, 4);
	return rdbuf_u32(&rd) == crc32c_more(crc, words, head->words_len);
}

static int
read_head(int fd, uint64_t index, struct head *out)
{
	uint8_t bytes[HEAD_BYTES], again[HEAD_BYTES];
	struct stat status;
	struct rdbuf rd;
	int rc = read_full(fd, bytes, sizeof bytes);

	if (rc < 0)
		return rc;
	rdbuf_init(&rd, bytes, sizeof bytes);
	(void)rdbuf_bytes(&rd, sizeof magic + 4); /* compared below */
	out->tip.epoch.view_seq = rdbuf_u64(&rd);
	out->tip.epoch.view_rep = rdbuf_u32(&rd);
	out->tip.epoch.pos_seq = rdbuf_u64(&rd);
	out->tip.epoch.pos_idx = rdbuf_u32(&rd);
	out->tip.index = rdbuf_u64(&rd);
	out->words_len = rdbuf_u32(&rd);
	out->len = rdbuf_u64(&rd);
	if (out->words_len > sizeof words)
		return -EBADMSG;
	rc = read_full(fd, words, out->words_len);
	if (rc < 0)
		return rc;
	if (is_foreign(bytes, out))
		return -EPROTONOSUPPORT;
	put_head(out, words, again);
	if (fstat(fd, &status) < 0)
		return -errno;
	if (memcmp(bytes, again, sizeof again) != 0 ||
	    out->tip.index != index || out->len != (uint64_t)status.st_size ||
	    out->len < HEAD_BYTES + out->words_len)
		return -EBADMSG;
	return 0;
}

/* How much of it are whole frames. */
static size_t
whole(const uint8_t *bytes, size_t len)
{
	struct rdbuf rd;
	size_t end = 0;

	rdbuf_init(&rd, bytes, len);
	while (rdbuf_left(&rd) >= FRAME_HEAD_BYTES) {
		size_t body = rdbuf_u32(&rd);

		if (rdbuf_bytes(&rd, FRAME_HEAD_BYTES - 4 + body) == NULL)
			break;
		end = rd.at;
	}
	return end;
}

static int
read_state(int fd, uint64_t left, const struct cfgstored_disk_reader *reader)
{
	size_t held = 0;

	while (left > 0 || held > 0) {
		size_t want = sizeof buffer - held;
		size_t end;
		int rc;

		want = want < left ? want : (size_t)left;
		rc = read_full(fd, buffer + held, want);
		held += want;
		left -= want;
		end = whole(buffer, held);
		if (rc == 0 && end == 0)
			rc = -EBADMSG;
		if (rc == 0)
			rc = reader->state(reader->arg, buffer, end);
		if (rc != 0)
			return rc;
		held -= end;
		memmove(buffer, buffer + end, held);
	}
	return 0;
}

static int
read_all(int fd, uint64_t index, const struct cfgstored_disk_reader *reader)
{
	struct head head;
	int rc = read_head(fd, index, &head);

	if (rc == 0)
		rc = reader->snapshot(
		    reader->arg, &head.tip, words, head.words_len);
	if (rc == 0)
		rc = read_state(
		    fd, head.len - HEAD_BYTES - head.words_len, reader);
	return rc;
}

int
cfgstored_snap_read(const struct cfgstored_folder *folder, uint64_t index,
    const char *suffix, const struct cfgstored_disk_reader *reader)
{
	char name[CFGSTORED_FILE_NAME_BYTES];
	struct cfgstored_file file;
	int rc;

	cfgstored_file_name(name, "snap-", index, suffix);
	rc = cfgstored_file_open(&file, folder, name);
	if (rc < 0)
		return rc;
	rc = read_all(file.fd, index, reader);
	cfgstored_file_close(&file);
	return rc;
}
