/* SPDX-License-Identifier: BSD-3-Clause */
/* What only ringd asks of the configuration. */
#ifndef RK_RINGD_CONF_H
#define RK_RINGD_CONF_H

#include <stdint.h>

struct cluster_conf;
struct conf;

/* Mistakes that only the ring knows; a cluster_check_fn. */
void ringd_conf_check(struct conf *file, const struct cluster_conf *conf);

/* What all nodes of a ring must have in common. */
uint64_t ringd_conf_hash(const struct cluster_conf *conf);

#endif
