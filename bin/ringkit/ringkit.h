/* SPDX-License-Identifier: BSD-3-Clause */
/* The subcommands; each has its own options and answers an exit code. */
#ifndef RK_RINGKIT_H
#define RK_RINGKIT_H

#include <stdint.h>

/* argv[0] is the subcommand's name. */
typedef int ringkit_fn(int argc, char **argv);

ringkit_fn ringkit_check_config;
ringkit_fn ringkit_down;
ringkit_fn ringkit_fence_confirm;
ringkit_fn ringkit_forget;
ringkit_fn ringkit_keygen;
ringkit_fn ringkit_members;
ringkit_fn ringkit_reload;
ringkit_fn ringkit_rotate_key;
ringkit_fn ringkit_sandbox;
ringkit_fn ringkit_status;
ringkit_fn ringkit_tag;
ringkit_fn ringkit_up;

/* deadline_ns of something that may take timeout_ns from now. */
uint64_t ringkit_deadline_ns(uint64_t timeout_ns);

#endif
