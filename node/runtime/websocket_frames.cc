#include "node/runtime/websocket_frames.h"

#include <algorithm>
#include <string_view>

namespace shoal {
namespace {

enum Opcode : uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kReserved = 0x70;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLength = 0x7F;
constexpr uint8_t kLength16 = 126;
constexpr uint8_t kLength64 = 127;

constexpr bool is_control(uint8_t opcode) { return (opcode & 0x8) != 0; }

uint64_t big_endian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::string control_frame(Opcode opcode, std::string_view payload) {
  std::string frame;
  frame += static_cast<char>(kFin | opcode);
  frame += static_cast<char>(payload.size());
  return frame.append(payload);
}

// The codes that an endpoint may send (RFC 6455, 7.4).
bool may_be_sent(uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

WebSocketDecoder::Decoded WebSocketDecoder::decode(std::span<uint8_t> bytes) {
  Decoded out;
  uint8_t* const front = bytes.data();
  while (phase_ != Phase::kClosed && !bytes.empty()) {
    if (phase_ == Phase::kHeader) {
      header_[header_have_++] = bytes.front();
      bytes = bytes.subspan(1);
      if (header_have_ >= 2 && header_have_ == header_size()) begin_frame(out);
      continue;
    }
    const auto size = static_cast<size_t>(std::min<uint64_t>(bytes.size(), payload_left_));
    const std::span<uint8_t> part = bytes.first(size);
    for (uint8_t& byte : part) byte ^= mask_[mask_at_++ & 3];
    if (is_control(opcode_)) {
      std::copy(part.begin(), part.end(), control_.begin() + control_have_);
      control_have_ = static_cast<uint8_t>(control_have_ + size);
    } else {
      std::copy(part.begin(), part.end(), front + out.payload);  // to the front: never past `part`
      out.payload += size;
    }
    payload_left_ -= size;
    bytes = bytes.subspan(size);
    if (payload_left_ == 0) end_frame(out);
  }
  out.is_closed = phase_ == Phase::kClosed;
  return out;
}

// Known once two bytes are there.
size_t WebSocketDecoder::header_size() const {
  const uint8_t length = header_[1] & kLength;
  const size_t extra = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  return 2 + extra + ((header_[1] & kMasked) != 0 ? mask_.size() : 0);
}

void WebSocketDecoder::begin_frame(Decoded& out) {
  const bool is_last = (header_[0] & kFin) != 0;
  const uint8_t opcode = header_[0] & 0xF;
  const uint8_t length = header_[1] & kLength;
  const size_t mask_begin = header_size() - mask_.size();
  // No extension was agreed on, and a client must mask (RFC 6455, 5.1 and 5.2).
  if ((header_[0] & kReserved) != 0 || (header_[1] & kMasked) == 0) {
    return fail(WebSocketClose::kProtocolError, out);
  }
  const std::span<const uint8_t> header(header_);
  payload_left_ = length < kLength16 ? length : big_endian(header.subspan(2, mask_begin - 2));
  std::copy_n(header_.begin() + static_cast<ptrdiff_t>(mask_begin), mask_.size(), mask_.begin());
  if ((payload_left_ >> 63) != 0) return fail(WebSocketClose::kProtocolError, out);

  switch (opcode) {
    case kContinuation:
      if (!is_in_message_) return fail(WebSocketClose::kProtocolError, out);
      is_in_message_ = !is_last;
      break;
    case kBinary:
      if (is_in_message_) return fail(WebSocketClose::kProtocolError, out);
      is_in_message_ = !is_last;
      break;
    case kText:  // MQTT is sent in binary frames [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
      return fail(WebSocketClose::kUnsupportedData, out);
    case kClose:
    case kPing:
    case kPong:
      if (!is_last || payload_left_ > kControlMax) {
        return fail(WebSocketClose::kProtocolError, out);
      }
      break;
    default: return fail(WebSocketClose::kProtocolError, out);
  }
  opcode_ = opcode;
  mask_at_ = 0;
  header_have_ = 0;
  control_have_ = 0;
  phase_ = Phase::kPayload;
  if (payload_left_ == 0) end_frame(out);
}

void WebSocketDecoder::end_frame(Decoded& out) {
  phase_ = Phase::kHeader;
  const std::string_view control(reinterpret_cast<const char*>(control_.data()), control_have_);
  if (opcode_ == kPing) out.reply += control_frame(kPong, control);
  if (opcode_ != kClose) return;
  const bool is_code_good =
      control_have_ == 0 ||
      (control_have_ >= 2 && may_be_sent(big_endian(std::span(control_).first(2))));
  if (!is_code_good) return fail(WebSocketClose::kProtocolError, out);
  out.reply += control_frame(kClose, control.substr(0, 2));
  phase_ = Phase::kClosed;
}

void WebSocketDecoder::fail(WebSocketClose code, Decoded& out) {
  out.reply += encode_close(code);
  phase_ = Phase::kClosed;
}

size_t encode_binary_header(uint64_t payload, std::array<uint8_t, 10>& header) {
  header[0] = kFin | kBinary;
  if (payload < kLength16) {
    header[1] = static_cast<uint8_t>(payload);
    return 2;
  }
  const int length_bytes = payload <= UINT16_MAX ? 2 : 8;
  header[1] = length_bytes == 2 ? kLength16 : kLength64;
  for (int i = 0; i < length_bytes; ++i) {
    header[static_cast<size_t>(2 + i)] =
        static_cast<uint8_t>(payload >> (8 * (length_bytes - 1 - i)));
  }
  return static_cast<size_t>(2 + length_bytes);
}

std::string encode_close(WebSocketClose code) {
  const auto number = static_cast<uint16_t>(code);
  const char payload[] = {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
  return control_frame(kClose, {payload, sizeof payload});
}

}  // namespace shoal
