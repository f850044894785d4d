#define _GNU_SOURCE // sched_getcpu and the affinity calls

#include "CKernels.h"

#include <sched.h>

int ffn_current_core(void) { return sched_getcpu(); }

void ffn_leave_core(int core) {
  cpu_set_t allowed;
  if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(core, &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
}
