/* SPDX-License-Identifier: BSD-3-Clause */
/* What only ringd asks of the configuration. */
#ifndef RK_RINGD_CONF_H
#define RK_RINGD_CONF_H

#include <stdint.h>

struct cluster_conf;
struct conf;
struct udp_group;

/* Mistakes that only the ring knows; a cluster_check_fn. */
void ringd_conf_check(struct conf *file, const struct cluster_conf *conf);

/* What all nodes of a ring must have in common. */
uint64_t ringd_conf_hash(const struct cluster_conf *conf);

/* The group of a link, where the transport is multicast. */
void ringd_conf_group(
    const struct cluster_conf *conf, uint32_t link, struct udp_group *out);

#endif
