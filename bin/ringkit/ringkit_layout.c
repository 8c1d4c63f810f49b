/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_layout.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"

#include "bin/ringkit/ringkit_daemons.h"
#include "bin/ringkit/ringkit_key.h"

enum {
	CONF_BYTES = 65536,
	NAME_BYTES = 64,   /* of a file below DIR */
	OPEN_FDS_MAX = 16, /* while the tree is removed */
};

/* DIR/NAME; dir leaves room for that. */
static void
join(const struct ringkit_layout *layout, const char *name,
    char out[RINGKIT_PATH_BYTES])
{
	struct text text;

	text_init(&text, out, RINGKIT_PATH_BYTES);
	text_put(&text, layout->dir);
	text_put_char(&text, '/');
	text_put(&text, name);
}

void
ringkit_layout_rundir(const struct ringkit_layout *layout, uint32_t node,
    char out[RINGKIT_PATH_BYTES])
{
	char name[NAME_BYTES];

	snprintf(name, sizeof name, "%u", node);
	join(layout, name, out);
}

void
ringkit_layout_plan(const struct ringkit_layout *layout, uint32_t node,
    uint32_t daemon, struct ringkit_layout_plan *out)
{
	const char *program = ringkit_daemon_name(daemon);
	char name[NAME_BYTES];

	snprintf(out->node, sizeof out->node, "n%u", node);
	join(layout, "ringkit.conf", out->config);
	ringkit_layout_rundir(layout, node, out->rundir);
	snprintf(name, sizeof name, "%u/state", node);
	join(layout, name, out->statedir);
	snprintf(name, sizeof name, "%u/%s.log", node, program);
	join(layout, name, out->log);
	out->plan = (struct ringkit_plan){ .program = program,
		.config = out->config,
		.rundir = out->rundir,
		.statedir = out->statedir,
		.node = out->node,
		.log = out->log };
}

/* ---- making ------------------------------------------------------------ */

static int
make_dir(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int
append_extra(const struct ringkit_layout *layout, struct text *text)
{
	long len;

	if (layout->extra == NULL)
		return 0;
	len = fd_read_file(
	    layout->extra, text->bytes + text->len, text->size - text->len - 1);
	if (len < 0)
		return (int)len;
	text->len += (size_t)len;
	return 0;
}

static int
write_conf(const struct ringkit_layout *layout)
{
	static char bytes[CONF_BYTES];
	char path[RINGKIT_PATH_BYTES];
	struct text text;
	int fd, rc;

	join(layout, "key", path);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "[cluster]\nname = sandbox\nkey_file = ");
	text_put(&text, path);
	/* N of them at realtime priority would leave their clients nothing. */
	text_put(&text, "\n[ring]\nrt_priority = 0\n");
	for (uint32_t node = 1; node <= layout->nodes; node++) {
		char section[NAME_BYTES * 2];

		snprintf(section, sizeof section,
		    "\n[node n%u]\nid = %u\nlink0 = 127.0.0.%u:%u\n", node,
		    node, node, layout->port);
		text_put(&text, section);
	}
	text_put(&text, "\n");
	rc = append_extra(layout, &text);
	if (rc < 0)
		return rc;
	join(layout, "ringkit.conf", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, text.bytes, text.len, UINT64_MAX);
	fd_close(&fd);
	return rc;
}

static int
make_nodes(const struct ringkit_layout *layout)
{
	struct ringkit_layout_plan node;
	int rc = 0;

	for (uint32_t i = 1; rc == 0 && i <= layout->nodes; i++) {
		ringkit_layout_plan(layout, i, RINGKIT_DAEMON_RING, &node);
		rc = make_dir(node.rundir);
		if (rc == 0)
			rc = make_dir(node.statedir);
	}
	return rc;
}

static int
fill(const struct ringkit_layout *layout)
{
	char path[RINGKIT_PATH_BYTES];
	int rc;

	join(layout, "key", path);
	rc = ringkit_key_write(path, 1);
	if (rc == 0)
		rc = make_nodes(layout);
	/* Last: with it, the directory is a sandbox. */
	return rc == 0 ? write_conf(layout) : rc;
}

static int
make_own_dir(struct ringkit_layout *layout)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || parent[0] != '/' ||
	    strlen(parent) + NAME_BYTES > sizeof layout->dir)
		parent = "/tmp";
	snprintf(layout->dir, sizeof layout->dir, "%s/ringkit-XXXXXX", parent);
	return mkdtemp(layout->dir) != NULL ? 0 : -errno;
}

/* 0, or -EEXIST when something is in it. */
static int
check_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL)
		return -errno;
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			rc = -EEXIST;
	closedir(dir);
	return rc;
}

static int
find_dir(struct ringkit_layout *layout, const char *dir)
{
	char path[RINGKIT_PATH_BYTES];

	if (realpath(dir, path) == NULL)
		return -errno;
	if (strlen(path) + NAME_BYTES > sizeof layout->dir)
		return -ENAMETOOLONG;
	strcpy(layout->dir, path);
	return 0;
}

int
ringkit_layout_make(struct ringkit_layout *layout, const char *dir)
{
	uint32_t nodes = layout->nodes;
	int rc;

	if (dir == NULL) {
		rc = make_own_dir(layout);
		return rc == 0 ? fill(layout) : rc;
	}
	if (ringkit_layout_open(layout, dir) == 0)
		return layout->nodes == nodes ? 0 : -EEXIST;
	layout->nodes = nodes;
	rc = make_dir(dir);
	if (rc == 0)
		rc = find_dir(layout, dir);
	if (rc == 0)
		rc = check_empty(layout->dir);
	return rc == 0 ? fill(layout) : rc;
}

/* ---- using ------------------------------------------------------------- */

int
ringkit_layout_keep_daemons(const struct ringkit_layout *layout)
{
	char path[RINGKIT_PATH_BYTES], bytes[NAME_BYTES];
	struct text text;
	int fd, rc;

	join(layout, "daemons", path);
	text_init(&text, bytes, sizeof bytes);
	ringkit_daemons_put(&text, layout->daemons);
	text_put_char(&text, '\n');
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, text.bytes, text.len, UINT64_MAX);
	fd_close(&fd);
	return rc;
}

/* Without that file, or with one that makes no sense: all. */
static void
read_daemons(struct ringkit_layout *layout)
{
	char path[RINGKIT_PATH_BYTES], bytes[NAME_BYTES];
	long len;

	join(layout, "daemons", path);
	len = fd_read_file(path, bytes, sizeof bytes);
	if (len <= 0 || bytes[len - 1] != '\n' ||
	    !ringkit_daemons_parse(bytes, (size_t)len - 1, &layout->daemons))
		layout->daemons = RINGKIT_DAEMONS_ALL;
}

int
ringkit_layout_open(struct ringkit_layout *layout, const char *dir)
{
	char path[RINGKIT_PATH_BYTES];

	if (find_dir(layout, dir) < 0)
		return -ENOENT;
	join(layout, "ringkit.conf", path);
	if (access(path, R_OK) < 0)
		return -ENOENT;
	for (layout->nodes = 0; layout->nodes < LIMIT_NODES; layout->nodes++) {
		ringkit_layout_rundir(layout, layout->nodes + 1, path);
		if (access(path, X_OK) < 0)
			break;
	}
	read_daemons(layout);
	return layout->nodes > 0 ? 0 : -ENOENT;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st;
	(void)kind;
	(void)place;
	return remove(path);
}

void
ringkit_layout_remove(const struct ringkit_layout *layout)
{
	/* What cannot be removed stays. */
	(void)nftw(layout->dir, remove_one, OPEN_FDS_MAX, FTW_DEPTH | FTW_PHYS);
}
