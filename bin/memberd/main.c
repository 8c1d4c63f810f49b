/* SPDX-License-Identifier: BSD-3-Clause */
/* memberd: what the ring's configurations mean for the nodes. */
#include <stdio.h>
#include <string.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/serve.h"

#include "bin/memberd/memberd.h"

static const struct serve_program program = {
	.name = "memberd",
	.socket = "member",
	.summary = "Tells which nodes are members of a cluster, and why not.",
};

/* Large, and living as long as the process. */
static struct memberd memberd;
static struct serve serve;

static void
on_dump(void *arg, uint64_t now_ns)
{
	(void)now_ns;
	memberd_svc_dump(arg);
}

static void
on_close(void *arg)
{
	memberd_close(arg);
}

int
main(int argc, char **argv)
{
	static const struct serve_handler handler = {
		.arg = &memberd, .dump = on_dump, .close = on_close
	};
	static char ring_path[UNIXSOCK_PATH_BYTES];
	char started[64];
	int code, rc;

	if (!serve_options(&serve, &program, argc, argv, &code))
		return code;
	serve_configure(&serve);
	serve_listen(&serve);
	serve_become(&serve);
	serve_path(&serve, "ring", ring_path, sizeof ring_path);
	memberd.serve = &serve;
	memberd.conf = serve.conf;
	memberd.sock = serve.sock;
	memberd.ring_path = ring_path;
	if (reread_start(&memberd.reread, &serve) < 0)
		daemon_die(EXITCODE_OS, "the reader cannot start");
	if (!memberd_create(&memberd, clock_now_ns())) {
		unixsock_close(&memberd.sock);
		daemon_die(EXITCODE_OS, "not enough memory");
	}
	rc = memberd_open(&memberd, clock_now_ns());
	if (rc < 0)
		daemon_die(EXITCODE_OS, "%s", strerror(-rc));
	snprintf(started, sizeof started, "node=%u",
	    serve.conf->nodes[serve.conf->self].id);
	return serve_run(&serve, memberd.loop, &handler, started);
}
