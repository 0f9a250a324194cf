#include "node/runtime/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "shoal/assert.h"

namespace shoal {
namespace {

// AES-128 first: X25519 and P-256 are of 128 bits too, and SHA-256 takes less time and memory than the
// SHA-384 of AES-256. TLS 1.2: forward secrecy and AEAD only. 1.3 has nothing else.
constexpr char kCiphers12[] = "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";
constexpr char kCiphers13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// So that a ticket of one listener is not good for another with other rules.
constexpr unsigned char kSessionContext[] = "shoal";

std::string openssl_error() {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return text;
}

void configure(SSL_CTX* context, const ListenerConfig& listener) {
  SSL_CTX_set_min_proto_version(
      context, listener.tls_min_version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers12);
  SSL_CTX_set_ciphersuites(context, kCiphers13);
  // Idle connections own no record buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Our order, but whoever names ChaCha20 first has no AES in hardware, and gets it.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  // One system call reads a record with its header.
  SSL_CTX_set_read_ahead(context, 1);
  // Clients resume with tickets, which cost this side no memory.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
}

// What is wrong, or empty.
std::string load_files(SSL_CTX* context, const ListenerConfig& listener,
                       const CertificateFiles& files) {
  if (SSL_CTX_use_certificate_chain_file(context, files.cert.c_str()) != 1) {
    return files.cert + ": " + openssl_error();
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool is_other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
    const std::string error = openssl_error();
    return files.key + ": " + (is_other ? "is not the key of " + files.cert : error);
  }
  if (listener.client_ca.empty()) return {};
  if (SSL_CTX_load_verify_locations(context, listener.client_ca.c_str(), nullptr) != 1) {
    return listener.client_ca + ": " + openssl_error();
  }
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(listener.client_ca.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

std::variant<std::shared_ptr<const TlsContext>, std::string> TlsContext::load(
    const ListenerConfig& listener) {
  std::shared_ptr<TlsContext> loaded(new TlsContext());
  for (const CertificateFiles& files : listener.certificates) {
    Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    SHOAL_ASSERT(context != nullptr);
    configure(context.get(), listener);
    const std::string error = load_files(context.get(), listener, files);
    if (!error.empty()) return error;
    loaded->contexts_.push_back(std::move(context));
  }
  SHOAL_ASSERT(!loaded->contexts_.empty());
  if (loaded->contexts_.size() > 1) {
    SSL_CTX* const first = loaded->contexts_.front().get();
    SSL_CTX_set_tlsext_servername_callback(first, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(first, loaded.get());
  }
  return std::shared_ptr<const TlsContext>(std::move(loaded));
}

int TlsContext::choose_certificate(SSL* connection, int*, void* self) {
  const char* const name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  for (const Context& context : static_cast<const TlsContext*>(self)->contexts_) {
    if (X509_check_host(SSL_CTX_get0_certificate(context.get()), name, 0, 0, nullptr) == 1) {
      SSL_set_SSL_CTX(connection, context.get());
      break;
    }
  }
  return SSL_TLSEXT_ERR_OK;
}

SSL* TlsContext::new_connection(int fd) const {
  SSL* const connection = SSL_new(contexts_.front().get());
  SHOAL_ASSERT(connection != nullptr && SSL_set_fd(connection, fd) == 1);
  SSL_set_accept_state(connection);
  return connection;
}

}  // namespace shoal
