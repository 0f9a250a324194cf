// The TLS settings and certificates of one listener, as loaded at one time: immutable, so that any
// thread may begin connections with it. A reload makes another.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "node/config/serve_config.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace shoal {

class TlsContext {
 public:
  // Or what is wrong: one line that names the file.
  static std::variant<std::shared_ptr<const TlsContext>, std::string> load(
      const ListenerConfig& listener);

  // A server's connection on `fd`, before its handshake; the caller frees it.
  SSL* new_connection(int fd) const;

 private:
  using Context = std::shared_ptr<SSL_CTX>;

  TlsContext() = default;
  static int choose_certificate(SSL* connection, int* alert, void* self);

  std::vector<Context> contexts_;  // one a certificate; the first where no name fits
};

}  // namespace shoal
