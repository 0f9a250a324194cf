// The beginning of a connection that a balancer passes on: its PROXY header, and nothing of what comes
// after it. Then TLS, WebSocket or plain TCP takes over.
#pragma once

#include <functional>
#include <vector>

#include "node/config/address.h"
#include "node/runtime/transport.h"

namespace shoal {

class ProxyTransport final : public Transport {
 public:
  // What comes after the header; null for plain TCP. `address` is the client's.
  using MakeNext = std::function<std::unique_ptr<Transport>(int fd, const std::string& address)>;

  // `address` is the balancer's, which must be one of `trusted`; `fd` is the caller's.
  ProxyTransport(int fd, std::string address, const std::vector<AddressRange>& trusted,
                 const MakeNext& make_next);

  Opening open(std::span<uint8_t> buffer) override;
  std::string address() const override { return address_; }
  std::string tls_identity() const override { return tls_identity_; }
  std::optional<std::unique_ptr<Transport>> successor() override;

 private:
  // Never reached: a successor does these.
  IoResult read(std::span<uint8_t>) override { return {IoResult::Status::kClosed}; }
  bool has_more() const override { return false; }
  IoResult write(Output&) override { return {IoResult::Status::kClosed}; }
  bool is_flushed() const override { return true; }
  void say_goodbye() override {}

  const int fd_;
  std::string address_;
  std::string tls_identity_;
  const bool is_trusted_;
  const MakeNext& make_next_;    // the listener's
  std::vector<uint8_t> header_;  // what came of it so far
};

}  // namespace shoal
