// libssl and libcrypto, and the few of their macros that Swift cannot import.
#pragma once
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/// What every server context of this project is set to: see TLSContext for why.
static const uint64_t sluice_ssl_server_options =
    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

/// A name in the form of RFC 2253, with control characters escaped and UTF-8 left as it is.
static const unsigned long sluice_name_flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;

// Each of these is a macro over SSL_CTX_ctrl.
static inline int sluice_ssl_ctx_set_versions(SSL_CTX *context, int lowest, int highest) {
  return SSL_CTX_set_min_proto_version(context, lowest) && SSL_CTX_set_max_proto_version(context, highest);
}
static inline void sluice_ssl_ctx_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }
static inline void sluice_ssl_ctx_set_session_cache_mode(SSL_CTX *context, long mode) {
  SSL_CTX_set_session_cache_mode(context, mode);
}
static inline int sluice_ssl_ctx_set_groups(SSL_CTX *context, const char *list) {
  return (int)SSL_CTX_set1_groups_list(context, list);
}
/// Takes a reference of its own to the certificate.
static inline int sluice_ssl_ctx_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

/// Says in the hello which server is asked (RFC 6066, 3), where it is a name and no address.
static inline void sluice_ssl_set_server_name(SSL *ssl, const char *name) {
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
  if (address == NULL) SSL_set_tlsext_host_name(ssl, name);
  ASN1_OCTET_STRING_free(address);
}

static inline void sluice_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void sluice_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
