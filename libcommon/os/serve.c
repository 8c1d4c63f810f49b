/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/serve.h"

#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/opt.h"

enum { REPORT_BYTES = 65536, OPTIONS_MAX = 24 };

/* Too large for a stack; one file is read in a process's life. */
static struct cluster_conf the_conf;

/* ---- options ----------------------------------------------------------- */

static void
set_defaults(struct serve *serve, const struct serve_program *program)
{
	*serve = (struct serve){ .program = program,
		.config = "/etc/ringkit/ringkit.conf",
		.statedir = "/var/lib/ringkit",
		.sock = { .fd = -1, .lock_fd = -1 },
		.ready_fd = -1 };
}

/* The common ones, then the daemon's own: how many. */
static size_t
fill_options(struct serve *serve, struct opt *out)
{
	const struct opt common[] = {
		{ 'c', "config", OPT_STRING, &serve->config, NULL, "FILE",
		    "configuration (/etc/ringkit/ringkit.conf)" },
		{ '\0', "rundir", OPT_STRING, &serve->rundir, NULL, "DIR",
		    "where the sockets are (/run/ringkit)" },
		{ '\0', "statedir", OPT_STRING, &serve->statedir, NULL, "DIR",
		    "what must survive (/var/lib/ringkit)" },
		{ '\0', "node", OPT_STRING, &serve->node, NULL, "NODE",
		    "be this node (default: by this machine's addresses)" },
		{ '\0', "user", OPT_STRING, &serve->user, NULL, "NAME",
		    "become this user when the socket is bound" },
		{ '\0', "log-level", OPT_STRING, &serve->level, NULL, "LEVEL",
		    "error, warning, notice, info or debug" },
		{ '\0', "ready-fd", OPT_FD, &serve->ready_fd, NULL, "FD",
		    "write a newline to it when the socket answers" },
		{ '\0', "check", OPT_FLAG, &serve->is_check, NULL, NULL,
		    "check the configuration, and exit" },
	};
	size_t own_count = serve->program->own_count;

	ENSURE(ARRAY_COUNT(common) + own_count <= OPTIONS_MAX);
	memcpy(out, common, sizeof common);
	if (own_count > 0)
		memcpy(out + ARRAY_COUNT(common), serve->program->own,
		    own_count * sizeof *out);
	return ARRAY_COUNT(common) + own_count;
}

bool
serve_options(struct serve *serve, const struct serve_program *program,
    int argc, char **argv, int *code)
{
	struct opt opts[OPTIONS_MAX];
	struct opt_program table = { .name = program->name,
		.operands = "",
		.summary = program->summary,
		.opts = opts };
	int first, rc;

	daemon_set_name(program->name);
	set_defaults(serve, program);
	table.opt_count = fill_options(serve, opts);
	rc = opt_parse(&table, argc, argv, &first);
	if (rc == 0 && first < argc)
		rc = opt_usage(&table, "%s: not expected", argv[first]);
	serve->rundir = opt_rundir(serve->rundir);
	*code = rc == OPT_E_USAGE ? EXITCODE_USAGE : EXITCODE_OK;
	if (rc == OPT_DONE && fflush(stdout) != 0)
		daemon_die(EXITCODE_IO, "standard output: %s", strerror(errno));
	return rc == 0;
}

/* ---- the file, the log ------------------------------------------------- */

static void
read_config(struct serve *serve)
{
	static char bytes[REPORT_BYTES];
	struct cluster_source source = { serve->config, serve->node,
		serve->program->check };
	struct text report;
	int rc;

	/* A file may be checked on a machine that is in no cluster. */
	if (serve->is_check && source.node == NULL)
		source.node = "";
	text_init(&report, bytes, sizeof bytes);
	rc = cluster_read(&the_conf, &source, &report);
	if (rc < 0)
		daemon_die(
		    EXITCODE_CONFIG, "%s: %s", serve->config, strerror(-rc));
	fputs(report.bytes, stderr);
	if (rc > 0)
		exit(EXITCODE_CONFIG);
	serve->conf = &the_conf;
}

static void
start_log(const struct serve *serve)
{
	enum log_level level = serve->conf->log_level;
	int number;

	if (serve->level != NULL && !log_level_from_name(serve->level, &level))
		daemon_die(EXITCODE_USAGE,
		    "--log-level: %s: expected error, warning, notice, info "
		    "or debug",
		    serve->level);
	number = (int)level + opt_verbosity();
	if (number < LOG_LEVEL_ERROR)
		number = LOG_LEVEL_ERROR;
	if (number > LOG_LEVEL_DEBUG)
		number = LOG_LEVEL_DEBUG;
	log_open(2, (enum log_level)number);
}

void
serve_configure(struct serve *serve)
{
	read_config(serve);
	if (serve->is_check)
		exit(EXITCODE_OK);
	start_log(serve);
	daemon_harden();
}

/* ---- the socket, the user ---------------------------------------------- */

void
serve_path(
    const struct serve *serve, const char *socket, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/%s.sock", serve->rundir, socket);

	if (n < 0 || (size_t)n >= size)
		daemon_die(EXITCODE_CANTCREATE, "%s: too long", serve->rundir);
}

void
serve_listen(struct serve *serve)
{
	char path[UNIXSOCK_PATH_BYTES];
	int rc = unixsock_inherit(&serve->sock, serve->program->socket);

	if (rc == 0)
		return;
	/*
	 * Its parents are the administrator's; a failure shows right below.
	 * Our umask is for secrets; here the socket's mode says who may.
	 */
	if (mkdir(serve->rundir, 0755) == 0)
		(void)chmod(serve->rundir, 0755);
	serve_path(serve, serve->program->socket, path, sizeof path);
	rc = unixsock_listen(&serve->sock, path, 0660, "ringkit");
	if (rc < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s: %s", path, strerror(-rc));
}

void
serve_become(const struct serve *serve)
{
	int rc = serve->user != NULL ? daemon_become(serve->user) : 0;

	if (rc < 0)
		daemon_die(EXITCODE_DENIED, "--user %s: %s", serve->user,
		    strerror(-rc));
}

/* ---- the loop ---------------------------------------------------------- */

static void
leave(struct serve *serve, uint64_t now_ns)
{
	/* Asked twice: at once. */
	if (serve->is_leaving || serve->handler->leave == NULL)
		loop_stop(serve->loop, EXITCODE_OK);
	serve->is_leaving = true;
	if (serve->handler->leave != NULL)
		serve->handler->leave(serve->handler->arg, now_ns);
}

static void
on_signal(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	struct serve *serve = arg;

	(void)loop;
	switch (signo) {
	case SIGUSR1:
		if (serve->handler->dump != NULL)
			serve->handler->dump(serve->handler->arg, now_ns);
		break;
	case SIGHUP:
		if (serve->handler->reload != NULL) {
			serve->handler->reload(serve->handler->arg, now_ns);
			break;
		}
		log_line(LOG_LEVEL_NOTICE, "reload-ignored",
		    "msg=restart\\0040to\\0040read\\0040the\\0040file\\0040"
		    "again");
		break;
	default:
		leave(serve, now_ns);
		break;
	}
}

static void
watch_signals(struct serve *serve)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		if (loop_add_signal(serve->loop, signals[i], on_signal, serve) <
		    0)
			daemon_die(EXITCODE_OS, "signals");
}

static uint64_t
log_deadline_ns(const void *arg)
{
	(void)arg;
	return log_due_ns();
}

static void
on_log_due(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)loop;
	(void)arg;
	log_tell(now_ns);
}

int
serve_run(struct serve *serve, struct loop *loop,
    const struct serve_handler *handler, const char *started)
{
	int code;

	serve->loop = loop;
	serve->handler = handler;
	watch_signals(serve);
	loop_add_timer(loop, log_deadline_ns, on_log_due, NULL);
	log_line(LOG_LEVEL_NOTICE, "started", "%s", started);
	daemon_ready(serve->ready_fd);
	code = loop_run(loop);
	if (handler->close != NULL)
		handler->close(handler->arg);
	else
		unixsock_close(&serve->sock);
	log_tell_all();
	log_line(LOG_LEVEL_NOTICE, "ended", "code=%d", code);
	return code < 0 ? EXITCODE_OS : code;
}
