#include "node/runtime/websocket_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "node/runtime/tls_transport.h"
#include "node/runtime/write_turn.h"

namespace shoal {
namespace {

using Status = IoResult::Status;
using Step = Transport::Opening::Step;
using ByteSpan = std::span<const uint8_t>;

// A frame is announced before it is written whole, so a short one keeps pongs from waiting long.
constexpr size_t kFrameBytesMost = 64 * 1024;
// Pongs that wait for a client which pings and does not read.
constexpr size_t kControlBytesMax = 4 * 1024;

ByteSpan bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

WebSocketTransport::WebSocketTransport(std::unique_ptr<ByteStream> stream,
                                       const WebSocketRules& rules, std::string address)
    : stream_(std::move(stream)), rules_(rules), address_(std::move(address)) {}

Transport::Opening WebSocketTransport::open(std::span<uint8_t> buffer) {
  if (!is_stream_open_) {
    const Opening opening = opening_of(*stream_);
    if (opening.step != Step::kDone) return opening;
    is_stream_open_ = true;
  }
  if (!is_answered_) {
    const Opening opening = read_request(buffer);
    if (opening.step != Step::kDone) return opening;
  }
  switch (flush_control().status) {
    case Status::kOpen: return {Step::kDone, {}};
    case Status::kClosed: return {Step::kFailed, "WebSocket: closed before the response"};
    default: return {Step::kWrite, {}};
  }
}

Transport::Opening WebSocketTransport::read_request(std::span<uint8_t> buffer) {
  do {
    const IoResult result = stream_->read(buffer);
    request_.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
    if (result.status == Status::kClosed) {
      return {Step::kFailed, request_.empty() ? "" : "WebSocket: closed within the request"};
    }
    if (result.status == Status::kWantWrite) return {Step::kWrite, {}};
    if (result.bytes == 0) return {Step::kRead, {}};

    auto answer = answer_websocket_request(request_, rules_, address_);
    if (auto* refused = std::get_if<WebSocketRefused>(&answer)) {
      control_ = std::move(refused->response);
      flush_control();
      return {Step::kFailed, std::move(refused->why)};
    }
    if (auto* accepted = std::get_if<WebSocketAccepted>(&answer)) {
      control_ = std::move(accepted->response);
      address_ = std::move(accepted->address);
      early_ = request_.substr(accepted->request_size);
      request_ = {};
      is_answered_ = true;
      return {Step::kDone, {}};
    }
  } while (stream_->has_more());
  return {Step::kRead, {}};
}

IoResult WebSocketTransport::read(std::span<uint8_t> buffer) {
  if (is_closed_) return {Status::kClosed};
  IoResult result;
  if (!early_.empty()) {
    result.bytes = std::min(early_.size(), buffer.size());
    std::memcpy(buffer.data(), early_.data(), result.bytes);
    early_.erase(0, result.bytes);
  } else {
    result = stream_->read(buffer);
  }
  auto decoded = decoder_.decode(buffer.first(result.bytes));
  control_ += decoded.reply;
  result.bytes = decoded.payload;
  if (!decoded.is_closed && control_.size() <= kControlBytesMax) return result;
  is_closed_ = true;
  if (frame_left_ == 0 && header_at_ == header_size_) flush_control();
  result.status = Status::kClosed;
  return result;
}

IoResult WebSocketTransport::write(Output& output) {
  IoResult total;
  while (total.status == Status::kOpen && !is_closed_) {
    const IoResult one = flush(output);
    total.bytes += one.bytes;
    total.status = one.status;
    if (total.status != Status::kOpen || output.empty()) break;
    if (total.bytes >= kWriteTurnBytesMax) return {Status::kWantWrite, total.bytes};
    frame_left_ = std::min(output.bytes(), kFrameBytesMost);
    header_size_ = static_cast<uint8_t>(encode_binary_header(frame_left_, header_));
    header_at_ = 0;
  }
  return total;
}

IoResult WebSocketTransport::flush(Output& output) {
  IoResult total;
  while (header_at_ < header_size_ || frame_left_ != 0) {
    std::array<ByteSpan, kGatheredPieces> pieces;
    pieces[0] = ByteSpan(header_).subspan(header_at_, header_size_ - header_at_);
    const size_t gathered = output.gather(std::span(pieces).subspan(1));
    size_t count = 1;
    size_t payload = 0;
    for (; count <= gathered && payload < frame_left_; ++count) {
      pieces[count] = pieces[count].first(
          std::min<size_t>(pieces[count].size(), static_cast<size_t>(frame_left_ - payload)));
      payload += pieces[count].size();
    }
    const size_t header_part = pieces[0].size();
    const auto used = std::span<const ByteSpan>(pieces).first(count);
    const IoResult one = stream_->write(header_part == 0 ? used.subspan(1) : used);
    const size_t of_header = std::min(one.bytes, header_part);
    header_at_ = static_cast<uint8_t>(header_at_ + of_header);
    output.consume(one.bytes - of_header);
    frame_left_ -= one.bytes - of_header;
    total.bytes += one.bytes;
    if (one.status != Status::kOpen) {
      total.status = one.status;
      return total;
    }
  }
  const IoResult control = flush_control();
  total.bytes += control.bytes;
  total.status = control.status;
  return total;
}

IoResult WebSocketTransport::flush_control() {
  if (control_.empty()) return {};
  const std::array<ByteSpan, 1> pieces = {bytes_of(control_)};
  const IoResult result = stream_->write(pieces);
  control_.erase(0, result.bytes);
  return result;
}

void WebSocketTransport::say_goodbye() {
  if (is_answered_ && !is_closed_ && is_flushed()) {
    control_ = encode_close(WebSocketClose::kNormal);
    is_closed_ = true;
    flush_control();
  }
  stream_->say_goodbye();
}

}  // namespace shoal
