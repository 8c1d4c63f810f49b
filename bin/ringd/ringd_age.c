/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_age.h"

#include "libcommon/base/num.h"

void
ringd_age_begin(struct ringd_age *age, uint64_t now_ns, uint64_t sleep_ns)
{
	*age = (struct ringd_age){ now_ns, sleep_ns, sleep_ns };
}

uint64_t
ringd_age_whole_ns(
    struct ringd_age *age, uint64_t now_ns, uint64_t age_ns, uint64_t sleep_ns)
{
	if (age_ns < num_sub(now_ns, age->told_ns))
		age->token_sleep_ns = age->told_sleep_ns;
	age->told_ns = now_ns;
	age->told_sleep_ns = sleep_ns;
	return age_ns + num_sub(sleep_ns, age->token_sleep_ns);
}
