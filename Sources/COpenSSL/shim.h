// libssl and libcrypto, and the few of their macros that Swift cannot import.
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
