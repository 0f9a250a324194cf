// TLS by OpenSSL on the descriptor itself, as a ByteStream.
#pragma once

#include <memory>

#include "node/runtime/byte_stream.h"
#include "node/runtime/tls_context.h"

namespace shoal {

class TlsStream final : public ByteStream {
 public:
  // `fd` is the caller's.
  TlsStream(std::shared_ptr<const TlsContext> context, int fd);

  IoResult open() override;
  std::string failure() const override { return failure_; }
  IoResult read(std::span<uint8_t> buffer) override;
  bool has_more() const override;
  IoResult write(std::span<const std::span<const uint8_t>> pieces) override;
  void say_goodbye() override;
  // The common name of the client's certificate, which was verified.
  std::string tls_identity() const override;

 private:
  struct Free {
    void operator()(SSL* connection) const;
  };

  IoResult::Status status_of(int result);

  const std::shared_ptr<const TlsContext> context_;  // its callback may be called in the handshake
  const std::unique_ptr<SSL, Free> connection_;
  std::string failure_;
};

}  // namespace shoal
