// zlib, and the few of its macros that Swift cannot import.
#pragma once
#include <zlib.h>
