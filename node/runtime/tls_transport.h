// MQTT over TLS.
#pragma once

#include <memory>
#include <string>

#include "node/runtime/tls_stream.h"
#include "node/runtime/transport.h"

namespace shoal {

class TlsTransport final : public Transport {
 public:
  TlsTransport(std::shared_ptr<const TlsContext> context, int fd, std::string address)
      : stream_(std::move(context), fd), address_(std::move(address)) {}

  Opening open(std::span<uint8_t> buffer) override;
  std::string address() const override { return address_; }
  std::string tls_identity() const override { return stream_.tls_identity(); }
  IoResult read(std::span<uint8_t> buffer) override { return stream_.read(buffer); }
  bool has_more() const override { return stream_.has_more(); }
  IoResult write(Output& output) override;
  bool is_flushed() const override { return true; }  // what it takes, the socket has
  void say_goodbye() override { stream_.say_goodbye(); }

 private:
  TlsStream stream_;
  std::string address_;  // until it is open
};

// Says of a stream's opening what a transport says of its own.
Transport::Opening opening_of(ByteStream& stream);

}  // namespace shoal
