/* SPDX-License-Identifier: BSD-3-Clause */
/* ringd: keys, links, priority and state, in the order of privileges; the
 * supervisor and its child; the loop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/serve.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_bind.h"
#include "bin/ringd/ringd_conf.h"
#include "bin/ringd/supervisor.h"

enum { WHY_BYTES = 512 };

static bool is_unsupervised;

static const struct opt own_options[] = {
	{ '\0', "no-supervisor", OPT_FLAG, &is_unsupervised, NULL, NULL,
	    "be one process, that nobody starts again or speaks for" },
};

static const struct serve_program program = {
	.name = "ringd",
	.socket = "ring",
	.summary = "Orders messages among the nodes of a cluster.",
	.own = own_options,
	.own_count = ARRAY_COUNT(own_options),
	.check = ringd_conf_check,
};

/* All are large or live as long as the process. */
static struct ringd ringd;
static struct box_keyring keys;
static struct ringd_keyfile keyfile;
static struct ringd_reload_file reload_file;
static struct serve serve;
static struct udp links[LIMIT_LINKS], groups[LIMIT_LINKS];
static struct ringd_sockets sockets;
static struct supervisor supervisor;

static void
read_keys(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	if (box_init() < 0)
		daemon_die(EXITCODE_OS, "libsodium cannot start");
	text_init(&why, bytes, sizeof bytes);
	if (box_keyring_read(&keys, serve.conf->key_file, &why) != 0)
		daemon_die(EXITCODE_CONFIG, "%s", why.bytes);
}

static void
bind_links(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if (ringd_bind(serve.conf, links, &why) == 0 &&
	    ringd_bind_groups(serve.conf, groups, &why) == 0) {
		ringd_bind_spares(serve.conf, links, &sockets);
		return;
	}
	unixsock_close(&serve.sock);
	daemon_die(EXITCODE_OS, "%s", why.bytes);
}

/* The supervisor tries it first, while it has privileges, for both. */
static const char *
raise_priority(bool is_inherited)
{
	int priority = (int)serve.conf->ring.rt_priority;

	return priority == 0 ? "other"
			     : daemon_raise_priority(priority, is_inherited);
}

/* A job of the writer's. */
static size_t
work(void *arg, void *bytes, size_t len)
{
	uint32_t kind;

	(void)arg;
	memcpy(&kind, bytes, sizeof kind);
	return kind == RINGD_JOB_RELOAD
	    ? ringd_reload_work(&reload_file, bytes, len)
	    : ringd_keyfile_work(&keyfile, bytes, len);
}

/* Comes back in each child; the supervisor itself ends in here. */
static void
supervise(void)
{
	struct supervisor_plan plan = { .conf = serve.conf,
		.confs = reload_file.confs,
		.keys = &keys,
		.links = links,
		.sockets = &sockets,
		.groups = groups,
		.ready_fd = serve.ready_fd };
	int code;

	if (!supervisor_run(&supervisor, &plan, &code)) {
		unixsock_close(&serve.sock);
		box_keyring_fini(&keys);
		exit(code);
	}
	serve.ready_fd = supervisor.child_ready_fd;
	serve.sock.is_inherited = true; /* the name stays */
	ringd.conf = supervisor.plan.conf;
	ringd.page = supervisor.page;
	ringd.supervisor = supervisor.self;
}

static void
open_disk(void)
{
	char bytes[WHY_BYTES];
	struct text why;
	int rc;

	text_init(&why, bytes, sizeof bytes);
	rc = ringd_disk_open(&ringd.disk, serve.statedir, &why);
	if (rc < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s", why.bytes);
	if (ringd.disk.is_damaged)
		log_line(LOG_LEVEL_WARNING, "state-damaged",
		    "file=ringd.state msg=not\\0040believed,\\0040beginning"
		    "\\0040from\\0040the\\0040clock");
	reload_file.path = serve.config;
	reload_file.node = ringd.conf->nodes[ringd.conf->self].id;
	keyfile = (struct ringd_keyfile){ .path = serve.conf->key_file,
		.node = reload_file.node };
	ringd_keyfile_sweep(&keyfile);
	ringd.disk.work = work;
	rc = ringd_disk_start(&ringd.disk);
	if (rc < 0)
		daemon_die(EXITCODE_OS, "fork: %s", strerror(-rc));
	if (ringd.page != NULL)
		atomic_store(&ringd.page->incarnation, ringd.disk.incarnation);
}

static void
make_ringd(void)
{
	struct ringd_plan plan = { .keys = &keys,
		.links = links,
		.sockets = &sockets,
		.groups = groups,
		.confs = reload_file.confs,
		.now_ns = clock_now_ns(),
		.seed = box_random_u64() };
	char bytes[WHY_BYTES];
	struct text why;
	int rc;

	if (!ringd_create(&ringd, &plan)) {
		unixsock_close(&ringd.sock);
		daemon_die(EXITCODE_OS, "not enough memory");
	}
	text_init(&why, bytes, sizeof bytes);
	rc = ringd_open(&ringd, &why);
	if (rc < 0)
		daemon_die(
		    EXITCODE_OS, "%s", why.len > 0 ? why.bytes : strerror(-rc));
}

/* ---- in the loop ------------------------------------------------------- */

static void
on_leave(void *arg, uint64_t now_ns)
{
	ringd_leave(arg, now_ns);
}

static void
on_dump(void *arg, uint64_t now_ns)
{
	ringd_set_now(arg, now_ns);
	ringd_svc_dump(arg);
}

static void
on_reload(void *arg, uint64_t now_ns)
{
	ringd_reload_ask(arg, now_ns);
}

static void
on_close(void *arg)
{
	ringd_close(arg);
}

int
main(int argc, char **argv)
{
	static const struct serve_handler handler = { .arg = &ringd,
		.leave = on_leave,
		.dump = on_dump,
		.reload = on_reload,
		.close = on_close };
	char started[64];
	int code;

	if (!serve_options(&serve, &program, argc, argv, &code))
		return code;
	serve_configure(&serve);
	ringd.conf = serve.conf;
	read_keys();
	serve_listen(&serve);
	bind_links();
	/* Whatever else it may do: without it nothing is reloaded. */
	reload_file.confs = ringd_confs_map();
	(void)raise_priority(true);
	serve_become(&serve);
	if (!is_unsupervised)
		supervise();
	ringd.scheduling = raise_priority(false);
	ringd.sock = serve.sock;
	open_disk();
	make_ringd();
	if (!is_unsupervised &&
	    supervisor_attend(&supervisor, ringd.loop, on_leave, &ringd) < 0)
		daemon_die(EXITCODE_OS, "signals");
	snprintf(started, sizeof started, "node=%u inc=%llu", reload_file.node,
	    (unsigned long long)ringd.disk.incarnation);
	return serve_run(&serve, ringd.loop, &handler, started);
}
