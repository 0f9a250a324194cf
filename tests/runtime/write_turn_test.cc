#include "node/runtime/write_turn.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "node/broker/chunk_pool.h"
#include "node/runtime/byte_stream.h"
#include "node/runtime/websocket_transport.h"

namespace shoal {
namespace {

using Status = IoResult::Status;
constexpr size_t kPayloadBytes = 3'000'000;

// An output that holds a short packet and a long payload.
class Waiting {
 public:
  Waiting() {
    output_.attach(pool_);
    std::memset(output_.append(10), 'h', 10);
    MessageView view;
    view.payload = payload_;
    message_ = Message::create(view);
    output_.append_shared(message_->payload(), message_);
  }
  ~Waiting() { output_.clear(); }
  Output& operator*() { return output_; }

 private:
  const std::vector<uint8_t> payload_ = std::vector<uint8_t>(kPayloadBytes, 'p');
  MessageRef message_;
  ChunkPool pool_;
  Output output_;
};

// A socket that is never full.
class Endless final : public ByteStream {
 public:
  IoResult open() override { return {}; }
  IoResult read(std::span<uint8_t> buffer) override {
    const size_t size = std::min(buffer.size(), to_read.size());
    std::memcpy(buffer.data(), to_read.data(), size);
    to_read.erase(0, size);
    return {Status::kWantRead, size};
  }
  bool has_more() const override { return false; }
  IoResult write(std::span<const std::span<const uint8_t>> pieces) override {
    IoResult result;
    for (const auto piece : pieces) result.bytes += piece.size();
    return result;
  }
  void say_goodbye() override {}

  std::string to_read;
};

TEST(WriteTurn, EndsBeforeALongMessageDoesAndGoesOn) {
  Waiting waiting;
  Endless socket;
  size_t written = 0;
  int turns = 0;
  for (Status status = Status::kWantWrite; status == Status::kWantWrite; ++turns) {
    const IoResult turn =
        write_turn(*waiting, [&socket](auto pieces) { return socket.write(pieces); });
    EXPECT_LE(turn.bytes, kWriteTurnBytesMax);
    written += turn.bytes;
    status = turn.status;
  }
  EXPECT_EQ(turns, 3);
  EXPECT_EQ(written, kPayloadBytes + 10);
  EXPECT_TRUE((*waiting).empty());
}

TEST(WriteTurn, EndsWhenTheSocketIsFullOrGone) {
  Waiting waiting;
  for (const Status status : {Status::kWantWrite, Status::kClosed}) {
    const IoResult turn = write_turn(*waiting, [status](auto) {
      return IoResult{status, size_t{7}};
    });
    EXPECT_EQ(turn.status, status);
    EXPECT_EQ(turn.bytes, 7u);
  }
  EXPECT_EQ((*waiting).bytes(), kPayloadBytes + 10 - 14);
}

TEST(WriteTurn, HoldsForWebSockets) {
  auto stream = std::make_unique<Endless>();
  stream->to_read =
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  const WebSocketRules rules;
  WebSocketTransport transport(std::move(stream), rules, "192.0.2.7");
  std::vector<uint8_t> buffer(4096);
  ASSERT_EQ(transport.open(buffer).step, Transport::Opening::Step::kDone);
  Waiting waiting;
  int turns = 1;
  for (IoResult turn = transport.write(*waiting); turn.status == Status::kWantWrite; ++turns) {
    EXPECT_LE(turn.bytes, kWriteTurnBytesMax + 65 * 1024);  // a frame is begun before its turn ends
    turn = transport.write(*waiting);
  }
  EXPECT_EQ(turns, 3);
  EXPECT_TRUE((*waiting).empty());
}

}  // namespace
}  // namespace shoal
