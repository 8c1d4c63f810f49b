/* SPDX-License-Identifier: BSD-3-Clause */
/* The process that outlives ringd: tells its death, and starts it again.
 *
 * supervisor_run forks.  The child is ringd and goes on in main; the
 * supervisor waits for its end, tells all peers at once, and forks again.  It
 * holds what has to outlive a child - the listening socket, the sockets of the
 * links, the key - and knows nothing of the ring.
 */
#ifndef RK_SUPERVISOR_H
#define RK_SUPERVISOR_H

#include <sys/types.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/clock.h"

#include "bin/ringd/obituary.h"

struct cluster_conf;
struct loop;
struct ringd_confs;
struct ringd_sockets;
struct udp;

/* ---- what both processes see ------------------------------------------- */

/* Written by the child alone. */
struct supervisor_page {
	_Atomic uint64_t turns;       /* of its loop; 0: not there yet */
	_Atomic uint64_t incarnation; /* 0: it has none yet, nor spoken */
	_Atomic bool has_left;        /* by LEAVE: there is nothing to tell */
	_Atomic bool is_ending;       /* its loop is over */
	/* The keys as they are since they were changed; 0: they were not. */
	_Atomic uint32_t keys_at; /* 1 and more: in which slot, mod 2 */
	struct box_keyring keys[2];
};

/*
 * In the child: these are the keys now.  After its death the supervisor speaks
 * under them, and gives them to the next one.
 */
void supervisor_keep_keys(
    struct supervisor_page *page, const struct box_keyring *keys);

/* In the supervisor, while there is no child: true when *keys was changed. */
bool supervisor_take_keys(
    const struct supervisor_page *page, struct box_keyring *keys);

/* ---- rules, pure ------------------------------------------------------- */

#define SUPERVISOR_CHECK_NS     (250 * CLOCK_MS_NS)
#define SUPERVISOR_DELAY_MIN_NS (100 * CLOCK_MS_NS)
#define SUPERVISOR_DELAY_MAX_NS (10 * CLOCK_S_NS)
#define SUPERVISOR_LIFE_NS      (60 * CLOCK_S_NS)

#define SUPERVISOR_HANG_NS (2 * CLOCK_S_NS)

/* What can be seen of a child. */
struct supervisor_look {
	uint64_t turns;   /* of its loop */
	bool is_runnable; /* it would go on if it had a processor */
	uint64_t cpu_ns;  /* that it had, in all */
};

/* Does the child's loop turn? */
struct supervisor_watch {
	uint64_t turns, cpu_ns; /* at the last check */
	uint64_t check_ns;      /* when the next one is due */
	uint64_t still_ns;      /* without a turn, in which it could have made
				   one */
};

/*
 * A check: true when the child hangs.  Only checks that came in time count: a
 * supervisor that did not run itself cannot tell.  Of a child that waits for a
 * processor only the time counts for which it had one.
 */
bool supervisor_is_hung(struct supervisor_watch *watch,
    const struct supervisor_look *look, uint64_t now_ns);

/*
 * How long to wait before the next start, after a life of lived_ns; *deaths
 * counts those that followed one another.
 */
uint64_t supervisor_delay_ns(uint32_t *deaths, uint64_t lived_ns);

/*
 * Is the code of a child that ended no reason to end as well, for the next one
 * may fare better?  75 says so.  What hinders a birth, where another birth was
 * possible, may pass, too: the dead one's writer still waits for a disk and
 * holds the lock of the state folder, the disk is full, memory is short.
 */
bool supervisor_is_passing(int code, bool was_serving);

/* ---- the processes ----------------------------------------------------- */

struct supervisor_plan {
	const struct cluster_conf *conf; /* changed when it was reloaded */
	const struct ringd_confs *confs; /* where that shows; may be NULL */
	struct box_keyring *keys; /* changed when the child changed them */
	struct udp *links;        /* bound; the caller's; changed with conf */
	const struct ringd_sockets *sockets; /* where these come from then */
	struct udp *groups;                  /* too, or closed */
	int ready_fd; /* told when the first child serves; -1 none */
};

typedef void supervisor_leave_fn(void *arg, uint64_t now_ns);

struct supervisor {
	struct supervisor_plan plan;
	struct supervisor_page *page;
	struct obituary obituary;
	struct supervisor_watch watch;
	struct loop *loop;
	sigset_t mask;     /* of signals, as it was */
	pid_t self, child; /* child 0: between two lives */
	int ready_slot, ready_read_fd;
	/* In the child: for serve_run, and what supervisor_attend was given. */
	int child_ready_fd;
	supervisor_leave_fn *leave;
	void *leave_arg;
	bool is_asked;
	uint64_t born_ns, birth_ns; /* of the child; of the next one */
	uint32_t deaths;
	uint32_t conf_at; /* which of plan.confs plan.conf is */
	bool has_served;  /* one of them got as far as that */
	bool is_serving;  /* the present one did */
	bool is_leaving;
	bool is_killed; /* by us, for it hung */
	bool is_over;
	int code;
};

/*
 * true: this is a child, to go on as ringd (plan's conf, keys and links are
 * its own now).  false: this is the supervisor, all is over, and it is to
 * exit with *code.  When nothing can be started at all, the reason is told
 * and the process ends.
 */
RK_MUST_CHECK bool supervisor_run(
    struct supervisor *s, const struct supervisor_plan *plan, int *code);

/* The signal by which the supervisor asks its child to leave the ring. */
#define SUPERVISOR_LEAVE SIGUSR2

/*
 * In the child, before loop_run: its turns are counted from now on.  Calls
 * leave when the supervisor asks for it, stops the loop when it asks again.
 * 0 or -E….
 */
RK_MUST_CHECK int supervisor_attend(struct supervisor *s, struct loop *loop,
    supervisor_leave_fn *leave, void *arg);

/* At the child, as it is now.  For supervisor.c. */
void supervisor_look(const struct supervisor *s, struct supervisor_look *out);

/* To the child, and never to a process that merely has its number.  For
 * supervisor.c. */
void supervisor_signal(const struct supervisor *s, int signo);

/* SIGCHLD came: if the child has ended, all that follows.  For supervisor.c. */
void supervisor_reap(struct supervisor *s, uint64_t now_ns);

#endif
