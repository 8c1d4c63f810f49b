/* SPDX-License-Identifier: BSD-3-Clause */
/* ringd: options, configuration, privileges, then the loop. */
#include <sys/stat.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/opt.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_conf.h"

enum { REPORT_BYTES = 65536, WHY_BYTES = 512 };

static struct {
	const char *config, *rundir, *statedir, *node, *user, *level;
	int ready_fd;
	bool is_check;
} given = { .config = "/etc/ringkit/ringkit.conf",
	.statedir = "/var/lib/ringkit",
	.ready_fd = -1 };

static const struct opt opts[] = {
	{ 'c', "config", OPT_STRING, &given.config, NULL, "FILE",
	    "configuration (/etc/ringkit/ringkit.conf)" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where ring.sock is made (/run/ringkit)" },
	{ '\0', "statedir", OPT_STRING, &given.statedir, NULL, "DIR",
	    "what must survive (/var/lib/ringkit)" },
	{ '\0', "node", OPT_STRING, &given.node, NULL, "NODE",
	    "be this node; by default the one with an address of this "
	    "machine" },
	{ '\0', "user", OPT_STRING, &given.user, NULL, "NAME",
	    "become this user when the socket is bound and the key read" },
	{ '\0', "log-level", OPT_STRING, &given.level, NULL, "LEVEL",
	    "error, warning, notice, info or debug" },
	{ '\0', "ready-fd", OPT_FD, &given.ready_fd, NULL, "FD",
	    "write a newline to it when the socket answers" },
	{ '\0', "check", OPT_FLAG, &given.is_check, NULL, NULL,
	    "check the configuration, and exit" },
};

static const struct opt_program program = {
	.name = "ringd",
	.operands = "",
	.summary = "Orders messages among the nodes of a cluster.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* All are large or live as long as the process. */
static struct ringd ringd;
static struct cluster_conf conf;
static struct box_keyring keys;

/* ---- before the loop --------------------------------------------------- */

static void
read_config(void)
{
	static char bytes[REPORT_BYTES];
	struct cluster_source source = { given.config, given.node,
		ringd_conf_check };
	struct text report;
	int rc;

	/* A file may be checked on a machine that is in no cluster. */
	if (given.is_check && source.node == NULL)
		source.node = "";
	text_init(&report, bytes, sizeof bytes);
	rc = cluster_read(&conf, &source, &report);
	if (rc < 0)
		daemon_die(
		    EXITCODE_CONFIG, "%s: %s", given.config, strerror(-rc));
	fputs(report.bytes, stderr);
	if (rc > 0)
		exit(EXITCODE_CONFIG);
}

static void
read_keys(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	if (box_init() < 0)
		daemon_die(EXITCODE_OS, "libsodium cannot start");
	text_init(&why, bytes, sizeof bytes);
	if (box_keyring_read(&keys, conf.key_file, &why) != 0)
		daemon_die(EXITCODE_CONFIG, "%s", why.bytes);
}

static void
start_log(void)
{
	enum log_level level = conf.log_level;
	int number;

	if (given.level != NULL && !log_level_from_name(given.level, &level))
		daemon_die(EXITCODE_USAGE,
		    "--log-level: %s: expected error, warning, notice, info "
		    "or debug",
		    given.level);
	number = (int)level + opt_verbosity();
	if (number < LOG_LEVEL_ERROR)
		number = LOG_LEVEL_ERROR;
	if (number > LOG_LEVEL_DEBUG)
		number = LOG_LEVEL_DEBUG;
	log_open(2, (enum log_level)number);
}

static void
open_socket(void)
{
	const char *rundir = opt_rundir(given.rundir);
	char path[UNIXSOCK_PATH_BYTES];
	int rc = unixsock_inherit(&ringd.sock, "ring");

	if (rc == 0)
		return;
	/*
	 * Its parents are the administrator's; a failure shows right below.
	 * Our umask is for secrets; here the socket's mode says who may.
	 */
	if (mkdir(rundir, 0755) == 0)
		(void)chmod(rundir, 0755);
	if (snprintf(path, sizeof path, "%s/ring.sock", rundir) >=
	    (int)sizeof path)
		daemon_die(EXITCODE_CANTCREATE, "%s: too long", rundir);
	rc = unixsock_listen(&ringd.sock, path, 0660, "ringkit");
	if (rc < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s: %s", path, strerror(-rc));
}

static void
open_disk(void)
{
	char bytes[WHY_BYTES];
	struct text why;
	int rc;

	text_init(&why, bytes, sizeof bytes);
	rc = ringd_disk_open(&ringd.disk, given.statedir, &why);
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
become_user(void)
{
	int rc = given.user != NULL ? daemon_become(given.user) : 0;

	if (rc < 0)
		daemon_die(EXITCODE_DENIED, "--user %s: %s", given.user,
		    strerror(-rc));
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
on_signal(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	(void)arg;
	switch (signo) {
	case SIGUSR1:
		ringd_set_now(&ringd, now_ns);
		ringd_svc_dump(&ringd);
		break;
	case SIGHUP:
		log_line(LOG_LEVEL_NOTICE, "reload-ignored",
		    "msg=restart\\0040to\\0040read\\0040the\\0040file\\0040"
		    "again");
		break;
	default:
		/* Asked twice: at once. */
		if (ringd.leave_deadline_ns != 0)
			loop_stop(loop, EXITCODE_OK);
		ringd_leave(&ringd, now_ns);
		break;
	}
}

static void
watch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		if (loop_add_signal(ringd.loop, signals[i], on_signal, NULL) <
		    0)
			daemon_die(EXITCODE_OS, "signals");
}

int
main(int argc, char **argv)
{
	int first, code;
	int rc = opt_parse(&program, argc, argv, &first);

	daemon_set_name(program.name);
	if (rc == 0 && first < argc)
		rc = opt_usage(&program, "%s: not expected", argv[first]);
	if (rc != 0)
		return rc == OPT_DONE ? EXITCODE_OK : EXITCODE_USAGE;
	read_config();
	if (given.is_check)
		return EXITCODE_OK;
	start_log();
	daemon_harden();
	ringd.conf = &conf;
	read_keys();
	open_socket();
	ringd.scheduling = conf.ring.rt_priority == 0
	    ? "other"
	    : daemon_raise_priority((int)conf.ring.rt_priority);
	become_user();
	open_disk();
	make_ringd();
	watch_signals();
	log_line(LOG_LEVEL_NOTICE, "started", "node=%u inc=%llu",
	    conf.nodes[conf.self].id,
	    (unsigned long long)ringd.disk.incarnation);
	daemon_ready(given.ready_fd);
	code = loop_run(ringd.loop);
	ringd_close(&ringd);
	log_line(LOG_LEVEL_NOTICE, "ended", "code=%d", code);
	return code < 0 ? EXITCODE_OS : code;
}
