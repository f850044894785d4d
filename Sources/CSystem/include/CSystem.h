#pragma once

#include <stdint.h>
#include <sys/epoll.h>

struct sockaddr;

// Linux calls and constants that Swift's Glibc module leaves out: epoll, eventfd, timerfd, accept4, a thread's
// processors, and the options of TCP. Each function is one syscall, with its errno; the caller repeats it on EINTR.

static const uint32_t csystem_epoll_in = EPOLLIN;
static const uint32_t csystem_epoll_out = EPOLLOUT;
static const uint32_t csystem_epoll_rdhup = EPOLLRDHUP;
static const uint32_t csystem_epoll_hup = EPOLLHUP;
static const uint32_t csystem_epoll_err = EPOLLERR;
static const uint32_t csystem_epoll_edge = EPOLLET;

/// A new epoll set, closed on exec.
int csystem_epoll_create(void);

/// Watches `descriptor`; its events carry `token`.
int csystem_epoll_add(int set, int descriptor, uint32_t interest, uint64_t token);

/// Changes what is watched of `descriptor`.
int csystem_epoll_modify(int set, int descriptor, uint32_t interest, uint64_t token);

/// A non-blocking counter to wake a set with, closed on exec.
int csystem_event_create(void);

/// Makes the counter readable.
int csystem_event_signal(int event);

/// A non-blocking timer on CLOCK_MONOTONIC, closed on exec.
int csystem_timer_create(void);

/// Fires once at `nanoseconds` of CLOCK_MONOTONIC; 0 disarms.
int csystem_timer_set(int timer, uint64_t nanoseconds);

/// A connection that waits at `listener`, non-blocking and closed on exec.
int csystem_accept(int listener, struct sockaddr *address, unsigned *length);

/// A stream socket, non-blocking and closed on exec.
int csystem_stream_socket(int family);

/// Turns Nagle's algorithm off, so that the last part of an answer isn't held back.
int csystem_set_no_delay(int descriptor);

/// Has malloc keep up to so many bytes of freed memory for the next use, of allocations up to the `largest`, where the C
/// library is glibc. Its default gives back all but 128 KiB at once: a body of 60 KB is then paged in anew each time.
/// Threads share so many `arenas`, where by default there are up to eight for each processor: what one thread takes and
/// another gives back is free only in the arena that it came from.
void csystem_keep_freed_memory(int bytes, int largest, int arenas);

/// Has malloc give the whole pages that are free back to the system, in all arenas, where the C library is glibc.
void csystem_give_back_freed_memory(void);

/// Keeps an IPv6 listener off IPv4: each address means what it says.
int csystem_set_v6_only(int descriptor);

/// Has the calling thread run on one processor only; EINVAL where this process may not use it.
int csystem_bind_thread(int processor);
