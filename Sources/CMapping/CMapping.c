#define _GNU_SOURCE
#include "CMapping.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct cmapping_watch {
  /// 0 where nobody uses this one, 1 while somebody takes or leaves it.
  _Atomic uintptr_t start;
  _Atomic uintptr_t end;
  /// NULL where what is cut off reads as zeros.
  _Atomic(char *) last_words;
  atomic_bool was_cut;
};

/// Watches in blocks, each allocated when all before it are in use and never freed: the handler walks them at any time.
enum { watches_per_block = 256 };
struct block {
  struct cmapping_watch watches[watches_per_block];
  _Atomic(struct block *) next;
};
static struct block first;

static struct sigaction previous;
static uintptr_t page_size;

/// Writes a line where somebody takes it within a second: no more than a pipe takes at once (pipe(7)), so that a log
/// which nobody reads does not keep the process from its end.
static void say(const char *words) {
  struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
  size_t length = strlen(words);
  if (poll(&log, 1, 1000) != 1) return;
  ssize_t count = write(STDERR_FILENO, words, length < PIPE_BUF ? length : PIPE_BUF);
  (void)count;
}

/// The watch over an address. One over a mapping that a thread is reading stays as it is meanwhile; others come and go,
/// and are passed over while they do.
static struct cmapping_watch *watch_over(uintptr_t address, uintptr_t *end) {
  for (struct block *block = &first; block != NULL; block = atomic_load(&block->next)) {
    for (int i = 0; i < watches_per_block; i++) {
      struct cmapping_watch *watch = &block->watches[i];
      uintptr_t start = atomic_load(&watch->start);
      *end = atomic_load(&watch->end);
      if (start > 1 && start <= address && address < *end && start == atomic_load(&watch->start)) return watch;
    }
  }
  return NULL;
}

/// Async-signal-safe: atomics and system calls. A mapping is not removed while a thread reads it, so the one that was
/// found stays until the handler returns, and the read is then repeated: on zeros, or to end the process.
static void on_bus_error(int signal, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr, end = 0;
  struct cmapping_watch *watch = info->si_code == BUS_ADRERR ? watch_over(address, &end) : NULL;
  char *last_words = watch != NULL ? atomic_load(&watch->last_words) : NULL;
  if (watch != NULL && last_words == NULL) {
    atomic_store(&watch->was_cut, true);
    // What lies behind a page that is gone is gone too.
    uintptr_t page = address & ~(page_size - 1);
    void *zeros = mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
    if (zeros != MAP_FAILED) return;
  }
  if (last_words != NULL) {
    // By one thread; others that read the file meanwhile wait here for the end.
    while (atomic_exchange(&watch->was_cut, true)) pause();
    say(last_words);
  }
  // As if there were no handler, when the read is repeated.
  sigaction(signal, &previous, NULL);
  errno = saved;
}

static void install(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &previous);
}

/// A watch that nobody else has, marked as taken; a block more where all are in use, and NULL without memory for one.
static struct cmapping_watch *take(void) {
  struct block *block = &first;
  while (true) {
    for (int i = 0; i < watches_per_block; i++) {
      uintptr_t unused = 0;
      if (atomic_compare_exchange_strong(&block->watches[i].start, &unused, 1)) return &block->watches[i];
    }
    struct block *next = atomic_load(&block->next);
    if (next == NULL) {
      struct block *another = calloc(1, sizeof *another);
      if (another == NULL) return NULL;
      // Somebody else's may have come first: `next` is that one then.
      if (atomic_compare_exchange_strong(&block->next, &next, another)) {
        next = another;
      } else {
        free(another);
      }
    }
    block = next;
  }
}

static cmapping_watch *begin(const void *start, size_t length, char *last_words) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  struct cmapping_watch *watch = take();
  if (watch == NULL) return NULL;
  atomic_store(&watch->was_cut, false);
  atomic_store(&watch->last_words, last_words);
  atomic_store(&watch->end, (uintptr_t)start + length);
  atomic_store(&watch->start, (uintptr_t)start);
  return watch;
}

cmapping_watch *cmapping_begin(const void *start, size_t length) { return begin(start, length, NULL); }

cmapping_watch *cmapping_begin_vital(const void *start, size_t length, const char *last_words) {
  char *copy = strdup(last_words);
  if (copy == NULL) return NULL;
  cmapping_watch *watch = begin(start, length, copy);
  if (watch == NULL) free(copy);
  return watch;
}

bool cmapping_was_cut(const cmapping_watch *watch) { return atomic_load(&watch->was_cut); }

void cmapping_end(cmapping_watch *watch) {
  atomic_store(&watch->start, 1);
  free(atomic_exchange(&watch->last_words, NULL));
  atomic_store(&watch->start, 0);
}
