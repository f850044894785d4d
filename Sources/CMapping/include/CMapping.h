#pragma once

#include <stdbool.h>
#include <stddef.h>

// Mapped files that somebody may cut short while they are read: a read behind a file's new end raises SIGBUS, which
// only a signal handler can answer, and such a handler only C.

/// Watches over one mapping.
typedef struct cmapping_watch cmapping_watch;

/// Begins to watch over what is read once: where the file has no bytes any more for a page that is read, that page and
/// all behind it become zeros, in place of the signal that ends the process. Whoever reads the mapping asks
/// `cmapping_was_cut` afterwards, before what was read is believed. Null where there is no memory; such a mapping is
/// left as it is.
cmapping_watch *cmapping_begin(const void *start, size_t length);

/// Begins to watch over what is read for as long as the process serves, where zeros would be wrong answers: the signal
/// ends the process, and before that `last_words` are written to standard error. Keeps a copy of them. Null where there
/// is no memory.
cmapping_watch *cmapping_begin_vital(const void *start, size_t length, const char *last_words);

/// Whether something of the mapping has become zeros.
bool cmapping_was_cut(const cmapping_watch *watch);

/// Ends it; to be called before the mapping is removed.
void cmapping_end(cmapping_watch *watch);
