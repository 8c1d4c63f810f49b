/* SPDX-License-Identifier: BSD-3-Clause */
/* Two pages of memory that children share with us: one has what counts, the
 * next child fills the other.  Both lie where they lie in the child, so what
 * points into a page is good here, too.
 */
#include "libcommon/os/reread.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
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
	bool is_done;
	int rc; /* of cluster_read */
	char report[REPORT_BYTES];
};

static const char *const states[REREAD_STATES] = {
	[REREAD_CURRENT] = "current",
	[REREAD_READING] = "reading",
	[REREAD_STALE] = "stale",
	[REREAD_REFUSED] = "refused",
};

/* ---- the child --------------------------------------------------------- */

/* It has no business with what is open here, but for what tells its end. */
RK_NORETURN static void
be_reader(
    const struct reread *reread, struct reread_page *page, int fd, pid_t parent)
{
	const struct serve *serve = reread->cfg.serve;
	const struct cluster_source source = { serve->config, serve->node,
		serve->program->check };
	struct text report;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "config-reader");
	if (getppid() != parent || dup2(fd, FIRST_FD) < 0)
		_exit(1);
	(void)close_range(FIRST_FD + 1, ~0U, 0);
	text_init(&report, page->report, sizeof page->report);
	page->rc = cluster_read(&page->conf, &source, &report);
	page->is_done = true;
	_exit(0);
}

static void on_end(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);

static int
start_child(struct reread *reread)
{
	struct reread_page *page = reread->page[reread->next];
	const pid_t parent = getpid();
	int ends[2], rc = 0;

	page->is_done = false;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	reread->slot = loop_add_fd(reread->cfg.loop, ends[0], on_end, reread);
	if (reread->slot < 0)
		rc = reread->slot;
	if (rc == 0) {
		reread->child = fork();
		if (reread->child == 0)
			be_reader(reread, page, ends[1], parent);
		rc = reread->child < 0 ? -errno : 0;
		if (rc < 0)
			loop_remove_fd(reread->cfg.loop, reread->slot);
	}
	fd_close(&ends[1]);
	if (rc < 0)
		fd_close(&ends[0]);
	else
		reread->fd = ends[0];
	return rc;
}

static void
end_child(struct reread *reread)
{
	loop_remove_fd(reread->cfg.loop, reread->slot);
	fd_close(&reread->fd);
	(void)kill(reread->child, SIGKILL);
	while (waitpid(reread->child, NULL, 0) < 0 && errno == EINTR)
		;
	reread->deadline_ns = UINT64_MAX;
}

/* ---- what came of it --------------------------------------------------- */

/* The first of the file's mistakes, without what ends its line. */
static void
put_report(const struct reread_page *page, struct text *why)
{
	text_put_bytes(why, page->report, strcspn(page->report, "\n"));
}

/* false: why has the reason. */
static bool
is_readable(const struct reread *reread, const struct cluster_conf *old,
    struct text *why)
{
	const struct reread_page *page = reread->page[reread->next];
	const struct cluster_conf *conf = &page->conf;

	if (!page->is_done) {
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

static void
begin(struct reread *reread, uint64_t now_ns)
{
	int rc;

	reread->is_asking = reread->is_asked;
	reread->is_asked = false;
	if (!reread->is_asking) {
		reread->is_due = false;
		reread->state = REREAD_READING;
		reread->why[0] = '\0';
	}
	reread->deadline_ns = now_ns + PATIENCE_NS;
	rc = start_child(reread);
	if (rc == 0)
		return;
	log_line(LOG_LEVEL_ERROR, "config-unread", "errno=%d", -rc);
	reread->fd = -1;
	reread->page[reread->next]->is_done = false;
	/* As one that failed; not from within who asked for it. */
	reread->deadline_ns = 0;
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
	if (reread->fd >= 0)
		end_child(reread);
	reread->deadline_ns = UINT64_MAX;
	if (reread->is_asking)
		answer_asker(reread, now_ns);
	else if (!reread->is_due)
		judge(reread, now_ns);
	reread->is_asking = false;
	if (reread->is_due || reread->is_asked)
		begin(reread, now_ns);
}

static void
on_end(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	(void)loop;
	(void)ready;
	finish(arg, now_ns);
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
	*reread = (struct reread){ .cfg = *cfg,
		.digest = cluster_digest(cfg->serve->conf),
		.child = -1,
		.fd = -1,
		.deadline_ns = UINT64_MAX };
	for (size_t i = 0; i < 2; i++) {
		void *page = mmap(NULL, sizeof *reread->page[i],
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return -errno;
		reread->page[i] = page;
	}
	loop_add_timer(cfg->loop, get_deadline_ns, on_deadline, reread);
	return 0;
}

/* The pages stay: what counts is in one of them. */
void
reread_close(struct reread *reread)
{
	if (reread->fd >= 0)
		end_child(reread);
}

static bool
is_under_way(const struct reread *reread)
{
	return reread->deadline_ns != UINT64_MAX;
}

void
reread_tell(struct reread *reread, uint64_t digest, uint64_t now_ns)
{
	if (digest == 0)
		return;
	reread->wanted = digest;
	reread->is_due = true;
	if (!is_under_way(reread))
		begin(reread, now_ns);
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
	if (!is_under_way(reread))
		begin(reread, now_ns);
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
