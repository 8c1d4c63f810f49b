/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/diskworld.h"

#include <sys/mman.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum {
	ACTS = 8192,
	BYTES = 32 << 20,
	INODES = 256,
	NAMES = 64,
	FILE_BYTES = 40 << 10,
	BLOCK = 512,
};

struct act {
	pid_t pid;
	enum cfgstored_file_call call;
	size_t returned_at; /* how many acts there were; 0: not yet */
	char name[CFGSTORED_FILE_NAME_BYTES];
	char to[CFGSTORED_FILE_NAME_BYTES];
	uint64_t offset, len;
	size_t at; /* of its bytes */
};

struct diskworld {
	atomic_flag lock;
	size_t count, used;
	unsigned fail_calls;
	size_t fail_at, seen, failed;
	int fail_error;
	bool is_for_good;
	struct act acts[ACTS];
	uint8_t bytes[BYTES];
};

struct diskworld *
diskworld_create(void)
{
	struct diskworld *world = mmap(NULL, sizeof *world,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ENSURE(world != MAP_FAILED);
	return world;
}

void
diskworld_clear(struct diskworld *world)
{
	/* Who was killed may have held it. */
	atomic_flag_clear(&world->lock);
	world->count = world->used = 0;
}

size_t
diskworld_count(const struct diskworld *world)
{
	return world->count;
}

/* ---- keeping ----------------------------------------------------------- */

static void
lock(struct diskworld *world)
{
	while (atomic_flag_test_and_set(&world->lock))
		sched_yield();
}

static void
copy_name(char *out, const char *name)
{
	if (name != NULL)
		memcpy(out, name, strlen(name) + 1);
}

static void
note_return(struct act *act, size_t at)
{
	if (act->returned_at == 0)
		act->returned_at = at;
}

/*
 * A process that calls again has come back from what it called before; and a
 * segment is opened when whoever made it has said that it is there, and
 * removed when whoever saved a snapshot has.
 */
static void
keep(struct diskworld *world, const struct cfgstored_file_act *from)
{
	struct act *act = &world->acts[world->count];

	ENSURE(world->count < ACTS);
	for (size_t i = 0; i < world->count; i++)
		if (from->call == CFGSTORED_FILE_OPEN ||
		    from->call == CFGSTORED_FILE_REMOVE ||
		    world->acts[i].pid == getpid())
			note_return(&world->acts[i], world->count + 1);
	*act = (struct act){ .pid = getpid(),
		.call = from->call,
		.offset = from->offset,
		.len = from->len,
		.at = world->used };
	copy_name(act->name, from->name);
	copy_name(act->to, from->to);
	for (size_t i = 0; i < from->count; i++) {
		size_t len = from->pieces[i].iov_len;

		ENSURE(len <= BYTES - world->used);
		memcpy(
		    world->bytes + world->used, from->pieces[i].iov_base, len);
		world->used += len;
		act->len += len;
	}
	world->count++;
}

static int
fault(struct diskworld *world, const struct cfgstored_file_act *act)
{
	if (!(world->fail_calls >> act->call & 1))
		return 0;
	world->seen++;
	if (world->seen != world->fail_at &&
	    (world->seen < world->fail_at || !world->is_for_good))
		return 0;
	world->failed++;
	return world->fail_error == 0 ? 1 : world->fail_error;
}

int
diskworld_hook(void *arg, const struct cfgstored_file_act *act)
{
	struct diskworld *world = arg;
	int rc;

	lock(world);
	rc = fault(world, act);
	if (rc == 0)
		keep(world, act);
	atomic_flag_clear(&world->lock);
	if (rc > 0)
		kill(0, SIGKILL);
	return rc;
}

void
diskworld_returned(struct diskworld *world, pid_t pid)
{
	lock(world);
	for (size_t i = 0; i < world->count; i++)
		if (world->acts[i].pid == pid)
			note_return(&world->acts[i], world->count);
	atomic_flag_clear(&world->lock);
}

void
diskworld_fail(struct diskworld *world, unsigned calls, size_t call, int error,
    bool is_for_good)
{
	world->fail_calls = calls;
	world->fail_at = call;
	world->fail_error = error;
	world->is_for_good = is_for_good;
	world->seen = world->failed = 0;
}

size_t
diskworld_failed(const struct diskworld *world)
{
	return world->failed;
}

/* ---- playing ----------------------------------------------------------- */

struct content {
	uint64_t len;
	uint8_t bytes[FILE_BYTES];
};

/* By name, in the kernel's memory and on the disk. */
struct names {
	size_t count;
	struct name {
		char name[CFGSTORED_FILE_NAME_BYTES];
		size_t inode;
	} name[NAMES];
};

static struct play {
	const struct diskworld *world;
	struct rng *rng;
	enum diskworld_loss loss;
	size_t count; /* of calls */
	size_t inode_count;
	struct content now[INODES], disk[INODES];
	struct names names, disk_names;
} play;

static struct name *
find(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->name[i].name, name) == 0)
			return &names->name[i];
	return NULL;
}

static void
set(struct names *names, const char *name, size_t inode)
{
	struct name *found = find(names, name);

	if (found == NULL) {
		ENSURE(names->count < NAMES);
		found = &names->name[names->count++];
		copy_name(found->name, name);
	}
	found->inode = inode;
}

static void
unset(struct names *names, const char *name)
{
	struct name *found = find(names, name);

	if (found != NULL)
		*found = names->name[--names->count];
}

static bool
has_returned(const struct act *act)
{
	return act->returned_at > 0 && act->returned_at <= play.count;
}

static bool
is_kept(void)
{
	switch (play.loss) {
	case DISKWORLD_KEEP_ALL:
		return true;
	case DISKWORLD_KEEP_NONE:
		return false;
	case DISKWORLD_KEEP_SOME:
		break;
	}
	return rng_below(play.rng, 2) == 0;
}

/* Names change on the disk, too, before anybody asks; or not. */
static void
change_name(const struct act *act, struct names *names)
{
	struct name *found;

	switch (act->call) {
	case CFGSTORED_FILE_CREATE:
		set(names, act->name, play.inode_count - 1);
		break;
	case CFGSTORED_FILE_RENAME:
		found = find(names, act->name);
		if (found == NULL)
			break;
		set(names, act->to, found->inode);
		unset(names, act->name);
		break;
	case CFGSTORED_FILE_REMOVE:
		unset(names, act->name);
		break;
	case CFGSTORED_FILE_OPEN:
	case CFGSTORED_FILE_ALLOCATE:
	case CFGSTORED_FILE_WRITE:
	case CFGSTORED_FILE_SYNC:
	case CFGSTORED_FILE_SYNC_FOLDER:
	case CFGSTORED_FILE_CALLS:
		break;
	}
}

static void
grow(struct content *content, uint64_t len)
{
	ENSURE(len <= FILE_BYTES);
	content->len = num_max(content->len, len);
}

static void
put_blocks(struct content *to, const struct act *act, bool is_all)
{
	const uint8_t *bytes = play.world->bytes + act->at;
	uint64_t at = act->offset, end = act->offset + act->len;

	while (at < end) {
		uint64_t len = num_min(BLOCK - at % BLOCK, end - at);

		if (is_all || is_kept()) {
			grow(to, at + len);
			memcpy(to->bytes + at, bytes + (at - act->offset), len);
		}
		at += len;
	}
}

static void
play_write(const struct act *act, size_t inode)
{
	put_blocks(&play.now[inode], act, true);
	put_blocks(&play.disk[inode], act, false);
}

static void
play_on_file(const struct act *act)
{
	struct name *found = find(&play.names, act->name);

	if (found == NULL)
		return;
	if (act->call == CFGSTORED_FILE_ALLOCATE) {
		grow(&play.now[found->inode], act->len);
		if (is_kept())
			grow(&play.disk[found->inode], act->len);
	} else if (act->call == CFGSTORED_FILE_WRITE)
		play_write(act, found->inode);
	else if (act->call == CFGSTORED_FILE_SYNC &&
	    (has_returned(act) || is_kept()))
		play.disk[found->inode] = play.now[found->inode];
}

static void
play_act(const struct act *act)
{
	if (act->call == CFGSTORED_FILE_CREATE) {
		ENSURE(play.inode_count < INODES);
		play.now[play.inode_count].len = 0;
		play.disk[play.inode_count].len = 0;
		memset(play.now[play.inode_count].bytes, 0, FILE_BYTES);
		memset(play.disk[play.inode_count++].bytes, 0, FILE_BYTES);
	}
	change_name(act, &play.names);
	if (is_kept())
		change_name(act, &play.disk_names);
	if (act->call == CFGSTORED_FILE_SYNC_FOLDER &&
	    (has_returned(act) || is_kept()))
		play.disk_names = play.names;
	play_on_file(act);
}

/* ---- laying out -------------------------------------------------------- */

static void
write_out(int dir_fd, const struct name *name)
{
	const struct content *content = &play.disk[name->inode];
	int fd = openat(dir_fd, name->name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	ENSURE(fd >= 0);
	ENSURE(
	    write(fd, content->bytes, content->len) == (ssize_t)content->len);
	close(fd);
}

static void
empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *list = fdopendir(fd);
	struct dirent *entry;

	ENSURE(list != NULL);
	while ((entry = readdir(list)) != NULL)
		(void)unlinkat(dir_fd, entry->d_name, 0);
	closedir(list);
}

void
diskworld_lay_out(const struct diskworld *world, size_t count,
    enum diskworld_loss loss, struct rng *rng, int dir_fd)
{
	play.world = world;
	play.rng = rng;
	play.loss = loss;
	play.count = count;
	play.inode_count = 0;
	play.names.count = play.disk_names.count = 0;
	for (size_t i = 0; i < count; i++)
		play_act(&world->acts[i]);
	empty(dir_fd);
	for (size_t i = 0; i < play.disk_names.count; i++)
		write_out(dir_fd, &play.disk_names.name[i]);
}
