// A plain socket as a ByteStream, for WebSocket; plain MQTT does without (plain_io.h).
#pragma once

#include "node/runtime/byte_stream.h"
#include "node/runtime/plain_io.h"

namespace shoal {

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}

  IoResult open() override { return {}; }
  IoResult read(std::span<uint8_t> buffer) override { return read_socket(fd_, buffer); }
  bool has_more() const override { return false; }
  IoResult write(std::span<const std::span<const uint8_t>> pieces) override {
    return write_socket(fd_, pieces);
  }
  void say_goodbye() override {}

 private:
  const int fd_;
};

}  // namespace shoal
