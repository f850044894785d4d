#define _GNU_SOURCE // sched_getcpu, gettid and the affinity calls

#include "CKernels.h"

#include <sched.h>
#include <unistd.h>

int ffn_current_core(void) { return sched_getcpu(); }

int ffn_current_thread(void) { return gettid(); }

void ffn_move_off_core(int thread, int core, sem_t *wake) {
  cpu_set_t allowed, others;
  int is_confined = 0;
  if (core >= 0 && core < CPU_SETSIZE && sched_getaffinity(thread, sizeof allowed, &allowed) == 0) {
    others = allowed;
    CPU_CLR(core, &others);
    is_confined = sched_setaffinity(thread, sizeof others, &others) == 0;
  }
  if (wake) sem_post(wake);
  if (is_confined) sched_setaffinity(thread, sizeof allowed, &allowed);
}
