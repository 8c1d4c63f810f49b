/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_catch.h"

#include <sys/time.h>

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/sim/sim.h"

/* Seconds of this process, whatever else the machine does. */
/* Ten virtual hours take 20 s, and five times that with the sanitizers. */
#ifdef __SANITIZE_ADDRESS__
enum { CATCH_HANG_S = 500 };
#else
enum { CATCH_HANG_S = 100 };
#endif

static sigjmp_buf catch_place;

static void
on_signal(int number)
{
	siglongjmp(catch_place, number);
}

static void
install(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGFPE, SIGBUS,
		SIGVTALRM };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void
set_alarm(time_t seconds)
{
	struct itimerval span = { .it_value.tv_sec = seconds };

	setitimer(ITIMER_VIRTUAL, &span, NULL);
}

void
sim_catch_renew(void)
{
	set_alarm(CATCH_HANG_S);
}

void
sim_catch_run(struct sim *sim, void (*run)(struct sim *sim))
{
	static bool is_installed;

	if (!is_installed)
		install();
	is_installed = true;
	int number = sigsetjmp(catch_place, 1);
	if (number == 0) {
		set_alarm(CATCH_HANG_S);
		run(sim);
	} else {
		sim_fail(sim, "%s at %llu.%06llu s",
		    number == SIGVTALRM ? "hang" : strsignal(number),
		    (unsigned long long)(sim->now_ns / 1000000000),
		    (unsigned long long)(sim->now_ns % 1000000000 / 1000));
	}
	set_alarm(0);
}
