/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_age.h"

#include "libcommon/base/ensure.h"

/* So it is kept at most this much longer than it has to be. */
static uint64_t
step_ns(const struct cfgstored_age *age)
{
	return age->keep_ns / (CFGSTORED_AGE_MARKS - 2) + 1;
}

void
cfgstored_age_init(struct cfgstored_age *age, uint64_t keep_ns)
{
	*age = (struct cfgstored_age){ .keep_ns = keep_ns };
}

uint64_t
cfgstored_age_deadline_ns(const struct cfgstored_age *age)
{
	return age->keep_ns == 0 ? UINT64_MAX : age->next_ns;
}

static void
add_mark(struct cfgstored_age *age, uint64_t rev, uint64_t now_ns)
{
	const size_t last = (age->first + age->count) % CFGSTORED_AGE_MARKS;

	ENSURE(age->count < CFGSTORED_AGE_MARKS);
	age->mark[last].at_ns = now_ns;
	age->mark[last].rev = rev;
	age->count++;
}

uint64_t
cfgstored_age_look(struct cfgstored_age *age, uint64_t rev, uint64_t now_ns)
{
	uint64_t old_rev = 0;

	if (age->keep_ns == 0 || now_ns < age->next_ns)
		return 0;
	age->next_ns = now_ns + step_ns(age);
	while (age->count > 0 &&
	    now_ns - age->mark[age->first].at_ns >= age->keep_ns) {
		old_rev = age->mark[age->first].rev;
		age->first = (age->first + 1) % CFGSTORED_AGE_MARKS;
		age->count--;
	}
	add_mark(age, rev, now_ns);
	return old_rev;
}
