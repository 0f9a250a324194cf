// WebSocket frames (RFC 6455, section 5), the server's side. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace shoal {

// Close codes (RFC 6455, section 7.4.1).
enum class WebSocketClose : uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
};

// Takes a client's bytes, cut anywhere, and leaves what its messages hold. To MQTT they are one stream
// of bytes: where a message ends means nothing [MQTT5-6.0.0-2] [MQTT311-6.0.0-2].
class WebSocketDecoder {
 public:
  struct Decoded {
    size_t payload = 0;  // bytes of messages, moved to the front of what was given
    // Control frames to send back, encoded: pongs, and the answer to a close.
    std::string reply;
    bool is_closed = false;  // by the client's close frame, or for what it did wrong
  };
  Decoded decode(std::span<uint8_t> bytes);

 private:
  enum class Phase : uint8_t { kHeader, kPayload, kClosed };

  void begin_frame(Decoded& out);
  void end_frame(Decoded& out);
  void fail(WebSocketClose code, Decoded& out);
  size_t header_size() const;

  static constexpr size_t kHeaderMax = 14;  // two bytes, eight of length, four of mask
  static constexpr size_t kControlMax = 125;

  Phase phase_ = Phase::kHeader;
  bool is_in_message_ = false;  // a fragment came, the last one has not
  uint8_t opcode_ = 0;
  uint8_t header_have_ = 0;
  uint8_t control_have_ = 0;
  uint8_t mask_at_ = 0;
  std::array<uint8_t, 4> mask_{};
  uint64_t payload_left_ = 0;
  std::array<uint8_t, kHeaderMax> header_{};
  std::array<uint8_t, kControlMax> control_{};
};

// The header of a server's binary frame of `payload` bytes; how many of its bytes are used.
size_t encode_binary_header(uint64_t payload, std::array<uint8_t, 10>& header);
std::string encode_close(WebSocketClose code);

}  // namespace shoal
