#define _GNU_SOURCE
#include "CMapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

struct cmapping_watch {
  /// 0 where nobody uses this one, 1 while somebody takes it.
  _Atomic uintptr_t start;
  _Atomic uintptr_t end;
  atomic_bool was_cut;
};

enum { watches_limit = 1024 };
static struct cmapping_watch watches[watches_limit];

static struct sigaction previous;
static uintptr_t page_size;

/// Async-signal-safe: atomics and system calls. A mapping is not removed while a thread reads it, so the one that was
/// found stays until the handler returns, and the read is then repeated on zeros.
static void on_bus_error(int signal, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  for (int i = 0; info->si_code == BUS_ADRERR && i < watches_limit; i++) {
    uintptr_t start = atomic_load(&watches[i].start), end = atomic_load(&watches[i].end);
    if (start <= 1 || address < start || address >= end) continue;
    atomic_store(&watches[i].was_cut, true);
    // What lies behind a page that is gone is gone too.
    uintptr_t page = address & ~(page_size - 1);
    void *zeros = mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
    if (zeros != MAP_FAILED) return;
    break;
  }
  // Nobody's: as if there were no handler, when the read is repeated.
  sigaction(signal, &previous, NULL);
  errno = saved;
}

static void install(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &previous);
}

cmapping_watch *cmapping_begin(const void *start, size_t length) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  for (int i = 0; i < watches_limit; i++) {
    uintptr_t unused = 0;
    if (!atomic_compare_exchange_strong(&watches[i].start, &unused, 1)) continue;
    atomic_store(&watches[i].was_cut, false);
    atomic_store(&watches[i].end, (uintptr_t)start + length);
    atomic_store(&watches[i].start, (uintptr_t)start);
    return &watches[i];
  }
  return NULL;
}

bool cmapping_was_cut(const cmapping_watch *watch) { return atomic_load(&watch->was_cut); }

void cmapping_end(cmapping_watch *watch) { atomic_store(&watch->start, 0); }
