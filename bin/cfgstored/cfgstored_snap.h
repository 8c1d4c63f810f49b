/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots: files that hold the state after some record.
 *
 * head:	"ringkit-cfg-snp\n", version 4, tip 32, length of words 4,
 *length of all 8, crc 4 over all before and the words; words; kv's frames
 */
#ifndef RK_CFGSTORED_SNAP_H
#define RK_CFGSTORED_SNAP_H

#include "bin/cfgstored/cfgstored_disk.h"
#include "bin/cfgstored/cfgstored_file.h"

/* Written beside, fsynced, renamed, the folder fsynced: 0 or -E…. */
RK_MUST_CHECK int cfgstored_snap_write(const struct cfgstored_folder *folder,
    const struct cfgstored_disk_save *save);

/*
 * Tells reader what snap-INDEX with this suffix holds.  0; -E…; or what
 * reader said.  -EBADMSG: it is none, or of another index.
 * -EPROTONOSUPPORT: another version of this program wrote it.
 */
RK_MUST_CHECK int cfgstored_snap_read(const struct cfgstored_folder *folder,
    uint64_t index, const char *suffix,
    const struct cfgstored_disk_reader *reader);

#endif
