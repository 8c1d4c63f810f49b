/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk for a replica: what is given to it is durable later, or never. */
#ifndef RK_REPLICA_DISK_H
#define RK_REPLICA_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/cfgstored/replica.h"

struct replica_disk;

/* room: for records that are not durable. */
struct replica_disk *replica_disk_open(uint64_t room);
void replica_disk_close(struct replica_disk *d);

/* Takes an effect that is for the disk; false: it is not.  kv: for SAVE. */
bool replica_disk_take(struct replica_disk *d,
    const struct replica_effect *effect, const struct kv *kv);

/* Makes the next count of what was given durable; more than there is: all. */
void replica_disk_sync(struct replica_disk *d, size_t count);
/* The end of the log that is durable; false: it was told before. */
bool replica_disk_synced(struct replica_disk *d, struct kv_tip *tip);
/* Writes the snapshot that was asked for; false: none was. */
bool replica_disk_save(struct replica_disk *d, struct kv_tip *tip);
size_t replica_disk_waiting(const struct replica_disk *d);
uint64_t replica_disk_room(const struct replica_disk *d);

/* Of what is not durable, all but the first count is gone. */
void replica_disk_crash(struct replica_disk *d, size_t count);
/* All of it is gone; or so much is bad that nothing of it counts. */
void replica_disk_lose(struct replica_disk *d, bool is_bad);

/* A new replica reads it. */
void replica_disk_load(const struct replica_disk *d, struct replica *r);

/* The end of the durable log; index 0: there is none, or it is not good. */
struct kv_tip replica_disk_tip(const struct replica_disk *d);

/* The same when all that was given is durable. */
struct kv_tip replica_disk_end(const struct replica_disk *d);

#endif
