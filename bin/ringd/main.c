/* SPDX-License-Identifier: BSD-3-Clause */
/* ringd: keys, priority and state, in the order of privileges; the loop. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/serve.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_conf.h"

enum { WHY_BYTES = 512 };

static const struct serve_program program = {
	.name = "ringd",
	.socket = "ring",
	.summary = "Orders messages among the nodes of a cluster.",
	.check = ringd_conf_check,
};

/* All are large or live as long as the process. */
static struct ringd ringd;
static struct box_keyring keys;
static struct serve serve;

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
	rc = ringd_disk_start(&ringd.disk);
	if (rc < 0)
		daemon_die(EXITCODE_OS, "fork: %s", strerror(-rc));
}

static void
make_ringd(void)
{
	struct ringd_plan plan = { .keys = &keys,
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
on_close(void *arg)
{
	ringd_close(arg);
}

int
main(int argc, char **argv)
{
	static const struct serve_handler handler = { &ringd, on_leave, on_dump,
		on_close };
	char started[64];
	int code;

	if (!serve_options(&serve, &program, argc, argv, &code))
		return code;
	serve_configure(&serve);
	ringd.conf = serve.conf;
	read_keys();
	serve_listen(&serve);
	ringd.sock = serve.sock;
	ringd.scheduling = serve.conf->ring.rt_priority == 0
	    ? "other"
	    : daemon_raise_priority((int)serve.conf->ring.rt_priority);
	serve_become(&serve);
	open_disk();
	make_ringd();
	snprintf(started, sizeof started, "node=%u inc=%llu",
	    serve.conf->nodes[serve.conf->self].id,
	    (unsigned long long)ringd.disk.incarnation);
	return serve_run(&serve, ringd.loop, &handler, started);
}
