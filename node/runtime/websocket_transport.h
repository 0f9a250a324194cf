// MQTT over WebSocket, on a plain or a TLS stream.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "node/runtime/byte_stream.h"
#include "node/runtime/transport.h"
#include "node/runtime/websocket_frames.h"
#include "node/runtime/websocket_handshake.h"

namespace shoal {

class WebSocketTransport final : public Transport {
 public:
  // `rules` are the listener's.
  WebSocketTransport(std::unique_ptr<ByteStream> stream, const WebSocketRules& rules,
                     std::string address);

  Opening open(std::span<uint8_t> buffer) override;
  std::string address() const override { return address_; }
  std::string tls_identity() const override { return stream_->tls_identity(); }
  IoResult read(std::span<uint8_t> buffer) override;
  bool has_more() const override { return !early_.empty() || stream_->has_more(); }
  IoResult write(Output& output) override;
  bool is_flushed() const override { return control_.empty() && frame_left_ == 0; }
  void say_goodbye() override;

 private:
  Opening read_request(std::span<uint8_t> buffer);
  // Writes what is begun: our own bytes, then the frame at hand. kOpen when nothing of it is left.
  IoResult flush(Output& output);
  IoResult flush_control();

  const std::unique_ptr<ByteStream> stream_;
  const WebSocketRules& rules_;
  std::string address_;
  bool is_stream_open_ = false;
  bool is_answered_ = false;
  bool is_closed_ = false;  // no more frames: theirs or ours said close
  std::string request_;     // until it is answered
  std::string early_;       // frames that came with the request
  std::string control_;     // our own bytes: the response, pongs, the close
  WebSocketDecoder decoder_;
  std::array<uint8_t, 10> header_{};  // of the frame at hand, as far as it is not written
  uint8_t header_size_ = 0;
  uint8_t header_at_ = 0;
  uint64_t frame_left_ = 0;  // bytes of its payload
};

}  // namespace shoal
