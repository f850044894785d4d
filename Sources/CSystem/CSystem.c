#define _GNU_SOURCE

#include "CSystem.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

int csystem_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int csystem_epoll_add(int set, int descriptor, uint32_t interest, uint64_t token) {
  struct epoll_event event = {.events = interest, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event);
}

int csystem_epoll_modify(int set, int descriptor, uint32_t interest, uint64_t token) {
  struct epoll_event event = {.events = interest, .data.u64 = token};
  return epoll_ctl(set, EPOLL_CTL_MOD, descriptor, &event);
}

int csystem_event_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int csystem_event_signal(int event) {
  uint64_t one = 1;
  return write(event, &one, sizeof one) < 0 ? -1 : 0;
}

int csystem_timer_create(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int csystem_timer_set(int timer, uint64_t nanoseconds) {
  struct itimerspec when = {
      .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)}};
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, 0);
}

int csystem_accept(int listener, struct sockaddr *address, unsigned *length) {
  return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int csystem_stream_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int csystem_set_no_delay(int descriptor) {
  int on = 1;
  return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void csystem_keep_freed_memory(int bytes, int largest, int arenas) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, arenas);
  mallopt(M_TRIM_THRESHOLD, bytes);
  mallopt(M_MMAP_THRESHOLD, largest);
#else
  (void)bytes, (void)largest, (void)arenas;
#endif
}

void csystem_give_back_freed_memory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

int csystem_set_v6_only(int descriptor) {
  int on = 1;
  return setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

int csystem_bind_thread(int processor) {
  cpu_set_t *set = CPU_ALLOC(processor + 1);
  if (!set) return -1;
  size_t size = CPU_ALLOC_SIZE(processor + 1);
  CPU_ZERO_S(size, set);
  CPU_SET_S(processor, size, set);
  int result = sched_setaffinity(0, size, set);
  int code = errno;
  CPU_FREE(set);
  errno = code;
  return result;
}
