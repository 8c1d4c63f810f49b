/* SPDX-License-Identifier: BSD-3-Clause */
/* The file is text, so that a person can read it in need:
 *
 *	ringkit-state 1
 *	incarnation=1795364401123
 *	ring_seq=1882567694310424576
 *	sum=6f1d5c0a9b3e7788
 *
 * sum is over all before it.  A file that does not check is as good as none.
 */
#include "bin/ringd/ringd_disk.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

enum { FILE_BYTES = 256 };

#define LOCK_NS (2 * CLOCK_S_NS)

static const char file_name[] = "ringd.state";
static const char new_name[] = "ringd.state.new";

/* ---- the file ---------------------------------------------------------- */

static void
encode(const struct ringd_disk *disk, struct text *out)
{
	text_put(out, "ringkit-state 1\nincarnation=");
	text_put_u64(out, disk->incarnation);
	text_put(out, "\nring_seq=");
	text_put_u64(out, disk->reserved);
	text_put(out, "\nsum=");
	text_put_hex(out, box_hash(out->bytes, out->len));
	text_put_char(out, '\n');
}

/*
 * Believes a file only if writing what it says gives the same bytes: that
 * checks the sum, and leaves one way to write each state.
 */
static bool
decode(const char *bytes, uint64_t *incarnation, uint64_t *ring_seq)
{
	unsigned long long inc, seq;
	struct ringd_disk disk;
	char again[FILE_BYTES];
	struct text text;

	if (sscanf(bytes, "ringkit-state 1 incarnation=%llu ring_seq=%llu",
		&inc, &seq) != 2)
		return false;
	disk.incarnation = inc;
	disk.reserved = seq;
	text_init(&text, again, sizeof again);
	encode(&disk, &text);
	if (strcmp(bytes, again) != 0)
		return false;
	*incarnation = inc;
	*ring_seq = seq;
	return true;
}

static long
read_file(int dir_fd, char *bytes, size_t size)
{
	int fd = openat(dir_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, bytes, size - 1);
	if (n < 0)
		n = -errno;
	else
		bytes[n] = '\0';
	fd_close(&fd);
	return n;
}

static int
write_new(int dir_fd, const struct text *text)
{
	int fd = openat(dir_fd, new_name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, text->bytes, text->len, UINT64_MAX);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

int
ringd_disk_write(const struct ringd_disk *disk)
{
	char bytes[FILE_BYTES];
	struct text text;
	int rc;

	text_init(&text, bytes, sizeof bytes);
	encode(disk, &text);
	rc = write_new(disk->dir_fd, &text);
	if (rc < 0)
		return rc;
	if (renameat(disk->dir_fd, new_name, disk->dir_fd, file_name) < 0)
		return -errno;
	return fsync(disk->dir_fd) < 0 ? -errno : 0;
}

/* ---- start ------------------------------------------------------------- */

static int
fail(struct text *why, const char *path, int rc)
{
	text_put(why, path);
	text_put(why, ": ");
	text_put(why, strerror(-rc));
	return rc;
}

/* The writer of a ringd that was just killed may have to finish first. */
static bool
take_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = 10 * (long)CLOCK_MS_NS };
	const uint64_t deadline_ns = clock_now_ns() + LOCK_NS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_now_ns() >= deadline_ns)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static int
open_folder(struct ringd_disk *disk, const char *statedir, struct text *why)
{
	/* Its parents are the administrator's; a failure shows right below. */
	(void)mkdir(statedir, 0750);
	disk->dir_fd = open(statedir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (disk->dir_fd < 0)
		return fail(why, statedir, -errno);
	disk->lock_fd = openat(disk->dir_fd, "ringd.lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (disk->lock_fd < 0)
		return fail(why, statedir, -errno);
	if (take_lock(disk->lock_fd))
		return 0;
	text_put(why, statedir);
	text_put(why, ": another ringd uses it");
	return -EBUSY;
}

/* The marks that were left, or what the clock gives in their place. */
static void
read_marks(struct ringd_disk *disk)
{
	const uint64_t now_ms = clock_real_ns() / CLOCK_MS_NS;
	uint64_t incarnation = 0;
	char bytes[FILE_BYTES];
	long len = read_file(disk->dir_fd, bytes, sizeof bytes);

	disk->is_first =
	    len < 0 || !decode(bytes, &incarnation, &disk->ring_seq);
	disk->is_damaged = disk->is_first && len != -ENOENT;
	if (disk->is_first) {
		/* Seconds * 2^20; finer, so that a start soon after another
		 * does not meet the sequences of that. */
		incarnation = 0;
		disk->ring_seq = (now_ms << 20) / 1000;
	}
	/* The clock guards against a state folder that was set back. */
	disk->incarnation = num_max(incarnation + 1, now_ms);
	disk->reserved = disk->ring_seq + RINGD_DISK_BLOCK;
}

int
ringd_disk_open(struct ringd_disk *disk, const char *statedir, struct text *why)
{
	int rc;

	*disk = (struct ringd_disk){ .dir_fd = -1, .lock_fd = -1, .fd = -1 };
	rc = open_folder(disk, statedir, why);
	if (rc == 0) {
		read_marks(disk);
		rc = ringd_disk_write(disk);
		if (rc < 0)
			fail(why, statedir, rc);
	}
	if (rc < 0)
		ringd_disk_close(disk);
	return rc;
}
