/* SPDX-License-Identifier: BSD-3-Clause */
/* Two pages of memory that the reader shares with us: one has what counts, the
 * other is what it fills next.  Both lie where they lie there, so what points
 * into a page is good here, too.
 */
#include "libcommon/os/reread.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/serve.h"

enum { REPORT_BYTES = 4096, FIRST_FD = STDERR_FILENO + 1 };

/* A file, and names of users, that take longer are as good as not there. */
#define PATIENCE_NS (5 * CLOCK_S_NS)

struct reread_page {
	struct cluster_conf conf;
	int rc; /* of cluster_read */
	char report[REPORT_BYTES];
};

static const char *const states[REREAD_STATES] = {
	[REREAD_CURRENT] = "current",
	[REREAD_READING] = "reading",
	[REREAD_STALE] = "stale",
	[REREAD_REFUSED] = "refused",
};

/* ---- the reader -------------------------------------------------------- */

/*
 * Lives until its parent closes the other end.  What the parent has open is
 * none of its business: locks and sockets would outlive it here.
 */
RK_NORETURN static void
be_reader(const struct reread *reread, const struct serve *serve, int fd)
{
	const struct cluster_source source = { serve->config, serve->node,
		serve->program->check };
	uint32_t at;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_NAME, "config-reader");
	if (dup2(fd, FIRST_FD) < 0)
		_exit(1);
	(void)close_range(FIRST_FD + 1, ~0U, 0);
	while (recv(FIRST_FD, &at, sizeof at, 0) == (ssize_t)sizeof at) {
		struct reread_page *page = reread->page[at % 2];
		struct text report;

		text_init(&report, page->report, sizeof page->report);
		page->rc = cluster_read(&page->conf, &source, &report);
		if (send(FIRST_FD, &at, sizeof at, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static int
map_pages(struct reread *reread)
{
	for (size_t i = 0; i < 2; i++) {
		void *page = mmap(NULL, sizeof *reread->page[i],
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return -errno;
		reread->page[i] = page;
	}
	return 0;
}

int
reread_start(struct reread *reread, const struct serve *serve)
{
	int ends[2], rc;
	pid_t child;

	*reread = (struct reread){ .fd = -1, .deadline_ns = UINT64_MAX };
	rc = map_pages(reread);
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		be_reader(reread, serve, ends[1]);
	rc = child < 0 ? -errno : fd_set_nonblock(ends[0], true);
	fd_close(&ends[1]);
	reread->fd = ends[0];
	if (rc < 0)
		fd_close(&reread->fd);
	return rc;
}

/* ---- what came of it --------------------------------------------------- */

/* The first of the file's mistakes, without what ends its line. */
static void
put_report(const struct reread_page *page, struct text *why)
{
	const char *line = page->report;

	while (*line != '\0') {
		const size_t len = strcspn(line, "\n");
		const char *warning = strstr(line, ": warning: ");

		if (warning == NULL || warning >= line + len) {
			text_put_bytes(why, line, len);
			return;
		}
		line += len + (line[len] == '\n');
	}
}

/* false: why has the reason. */
static bool
is_readable(const struct reread *reread, const struct cluster_conf *old,
    struct text *why)
{
	const struct reread_page *page = reread->page[reread->next];
	const struct cluster_conf *conf = &page->conf;

	if (!reread->is_read) {
		text_put(why, reread->cfg.serve->config);
		text_put(why, ": reading it did not come to an end");
	} else if (page->rc > 0) {
		put_report(page, why);
	} else if (page->rc < 0) {
		text_put(why, reread->cfg.serve->config);
		text_put(why, ": ");
		text_put(why, strerror(-page->rc));
	} else if (conf->nodes[conf->self].id != old->nodes[old->self].id) {
		text_put(why,
		    "this node would be another one: that needs a "
		    "restart");
	} else {
		return true;
	}
	return false;
}

static bool
is_under_way(const struct reread *reread)
{
	return reread->deadline_ns != UINT64_MAX;
}

static void
begin(struct reread *reread, uint64_t now_ns)
{
	const uint32_t at = reread->next;

	reread->is_asking = reread->is_asked;
	reread->is_asked = reread->is_read = false;
	if (!reread->is_asking) {
		reread->is_due = false;
		reread->state = REREAD_READING;
		reread->why[0] = '\0';
	}
	reread->deadline_ns = now_ns + PATIENCE_NS;
	if (reread->fd >= 0 &&
	    send(reread->fd, &at, sizeof at, MSG_NOSIGNAL) ==
		(ssize_t)sizeof at)
		reread->is_busy = true;
	else
		/* As one that failed; not from within who asked for it. */
		reread->deadline_ns = 0;
}

/* The next, if there is one, and nobody is at it. */
static void
go_on(struct reread *reread, uint64_t now_ns)
{
	if (!is_under_way(reread) && !reread->is_busy &&
	    (reread->is_due || reread->is_asked))
		begin(reread, now_ns);
}

static void
log_why(const struct reread *reread)
{
	char bytes[2 * REREAD_WHY_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put_value(&out, reread->why, strlen(reread->why));
	log_line(LOG_LEVEL_ERROR, "config-stale",
	    "state=%s digest=%016llx wanted=%016llx why=%s",
	    states[reread->state], (unsigned long long)reread->digest,
	    (unsigned long long)reread->wanted, bytes);
}

static void
set_log_level(const struct serve *serve, const struct cluster_conf *old)
{
	const int by = (int)serve->conf->log_level - (int)old->log_level;
	int level = (int)log_get_level() + by;

	/* What the command line says stays; so does how much more it wants. */
	if (serve->level != NULL || by == 0)
		return;
	if (level < LOG_LEVEL_ERROR)
		level = LOG_LEVEL_ERROR;
	if (level > LOG_LEVEL_DEBUG)
		level = LOG_LEVEL_DEBUG;
	log_set_level((enum log_level)level);
}

static void
take(struct reread *reread, uint64_t now_ns)
{
	struct serve *serve = reread->cfg.serve;
	const struct cluster_conf *old = serve->conf;

	serve->conf = &reread->page[reread->next]->conf;
	reread->next = 1 - reread->next;
	reread->digest = reread->wanted;
	reread->state = REREAD_CURRENT;
	reread->taken++;
	set_log_level(serve, old);
	log_line(LOG_LEVEL_NOTICE, "config-taken", "digest=%016llx nodes=%u",
	    (unsigned long long)reread->digest, serve->conf->node_count);
	reread->cfg.taken(reread->cfg.arg, old, now_ns);
}

static void
judge(struct reread *reread, uint64_t now_ns)
{
	const struct cluster_conf *fresh = &reread->page[reread->next]->conf;
	struct text why;

	text_init(&why, reread->why, sizeof reread->why);
	reread->state = REREAD_STALE;
	if (!is_readable(reread, reread->cfg.serve->conf, &why)) {
		log_why(reread);
		return;
	}
	if (cluster_digest(fresh) != reread->wanted) {
		text_put(&why, reread->cfg.serve->config);
		text_put(&why,
		    ": not the configuration that is in force; "
		    "was it changed since?");
		log_why(reread);
		return;
	}
	reread->state = REREAD_REFUSED;
	if (reread->cfg.refuses(reread->cfg.arg, fresh, &why)) {
		log_why(reread);
		return;
	}
	take(reread, now_ns);
}

static void
answer_asker(struct reread *reread, uint64_t now_ns)
{
	char bytes[REREAD_WHY_BYTES];
	struct text why;
	bool is_good;

	text_init(&why, bytes, sizeof bytes);
	is_good = is_readable(reread, reread->cfg.serve->conf, &why);
	reread->cfg.asked(reread->cfg.arg,
	    is_good ? &reread->page[reread->next]->conf : NULL, bytes, now_ns);
}

static void
finish(struct reread *reread, uint64_t now_ns)
{
	reread->deadline_ns = UINT64_MAX;
	if (reread->is_asking)
		answer_asker(reread, now_ns);
	else if (!reread->is_due)
		judge(reread, now_ns);
	reread->is_asking = false;
	go_on(reread, now_ns);
}

/* It has read, perhaps later than anybody waited for it; or it is gone. */
static void
on_answer(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct reread *reread = arg;
	uint32_t at;
	ssize_t n = recv(reread->fd, &at, sizeof at, 0);

	(void)ready;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	reread->is_busy = false;
	reread->is_read = n == (ssize_t)sizeof at;
	if (!reread->is_read) {
		log_line(LOG_LEVEL_ERROR, "config-reader-gone", "%s", "");
		loop_remove_fd(loop, reread->slot);
		fd_close(&reread->fd);
	}
	if (is_under_way(reread))
		finish(reread, now_ns);
	else
		go_on(reread, now_ns);
}

static uint64_t
get_deadline_ns(const void *arg)
{
	const struct reread *reread = arg;

	return reread->deadline_ns;
}

static void
on_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)loop;
	finish(arg, now_ns);
}

/* ---- from outside ------------------------------------------------------ */

int
reread_open(struct reread *reread, const struct reread_config *cfg)
{
	reread->cfg = *cfg;
	reread->digest = cluster_digest(cfg->serve->conf);
	loop_add_timer(cfg->loop, get_deadline_ns, on_deadline, reread);
	reread->slot = loop_add_fd(cfg->loop, reread->fd, on_answer, reread);
	return reread->slot < 0 ? reread->slot : 0;
}

/* The pages stay: what counts is in one of them. */
void
reread_close(struct reread *reread)
{
	fd_close(&reread->fd);
}

void
reread_tell(struct reread *reread, uint64_t digest, uint64_t now_ns)
{
	if (digest == 0)
		return;
	reread->wanted = digest;
	reread->is_due = true;
	go_on(reread, now_ns);
}

/* 0: there is none. */
static uint64_t
get_digest(const struct feed_line *line, const char *key)
{
	unsigned long long digest;
	char end;

	if (sscanf(feed_value(line, key), "%16llx%c", &digest, &end) != 1)
		return 0;
	return digest;
}

void
reread_on_config(
    struct reread *reread, const struct feed_line *line, uint64_t now_ns)
{
	reread_tell(reread, get_digest(line, "digest"), now_ns);
}

void
reread_on_ready(
    struct reread *reread, const struct feed_line *line, uint64_t now_ns)
{
	const uint64_t digest = get_digest(line, "config");

	if (digest != reread->digest) {
		reread_tell(reread, digest, now_ns);
	} else if (!is_under_way(reread)) {
		reread->wanted = digest;
		reread->state = REREAD_CURRENT;
	}
}

bool
reread_ask(struct reread *reread, uint64_t now_ns)
{
	if (reread->is_asked || reread->is_asking)
		return false;
	reread->is_asked = true;
	go_on(reread, now_ns);
	return true;
}

bool
reread_is_current(const struct reread *reread)
{
	return reread->state == REREAD_CURRENT;
}

void
reread_put(const struct reread *reread, struct text *out)
{
	char bytes[96];

	snprintf(bytes, sizeof bytes, "kind=config state=%s digest=%016llx",
	    states[reread->state], (unsigned long long)reread->digest);
	text_put(out, bytes);
	if (reread->state == REREAD_CURRENT)
		return;
	snprintf(bytes, sizeof bytes,
	    " wanted=%016llx why=", (unsigned long long)reread->wanted);
	text_put(out, bytes);
	text_put_value(out, reread->why, strlen(reread->why));
}
