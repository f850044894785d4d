#pragma once

#include <stdbool.h>
#include <stddef.h>

// Mapped files that somebody may cut short while they are read: a read behind a file's new end raises SIGBUS, which only a
// signal handler can answer, and such a handler only C.

/// Watches over one mapping.
typedef struct cmapping_watch cmapping_watch;

/// Begins to watch: where the file has no bytes any more for a page that is read, that page and all behind it become
/// zeros, in place of the signal that ends the process. Whoever reads the mapping asks `cmapping_was_cut` afterwards,
/// before what was read is believed. Null where 1024 mappings are watched already; such a one is left as it is.
cmapping_watch *cmapping_begin(const void *start, size_t length);

/// Whether something of the mapping has become zeros.
bool cmapping_was_cut(const cmapping_watch *watch);

/// Ends it; to be called before the mapping is removed.
void cmapping_end(cmapping_watch *watch);
