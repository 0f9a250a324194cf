#include <unistd.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "node/client/tool_session.h"
#include "node/codec/reason_code.h"

namespace shoal {
namespace {

constexpr Duration kAckPatience = Duration::seconds(60);
// Publishes that wait for their acknowledgement; below any server's Receive Maximum that is in use.
constexpr size_t kWindow = 20;

class Publisher {
 public:
  explicit Publisher(const PubOptions& options) : options_(options), session_(options) {}

  int run() {
    if (auto error = session_.open()) return fail(error->text);
    bool ok = options_.source == PubOptions::Source::kLines ? publish_lines() : publish_one();
    while (ok && open_ > 0) ok = take_one();
    if (ok) session_.close();
    return ok ? 0 : 1;
  }

 private:
  bool publish_one() {
    std::string payload = options_.text;
    if (options_.source == PubOptions::Source::kFile && !read_file(payload)) return false;
    return publish(payload);
  }

  bool publish_lines() {
    for (std::string line; std::getline(std::cin, line);) {
      if (!publish(line)) return false;
    }
    return true;
  }

  bool read_file(std::string& payload) {
    std::ostringstream all;
    if (options_.text == "-") {
      all << std::cin.rdbuf();
    } else {
      std::ifstream file(options_.text, std::ios::binary);
      if (!file) return fail("cannot read " + options_.text) == 0;
      all << file.rdbuf();
    }
    payload = std::move(all).str();
    return true;
  }

  bool publish(const std::string& payload) {
    while (open_ >= kWindow) {
      if (!take_one()) return false;
    }
    Publish packet;
    packet.qos = options_.qos;
    packet.retain = options_.retain;
    packet.topic = options_.topic;
    packet.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
    if (encoded_size(packet, options_.version) + 2 > kPacketSizeMax) {
      return fail("the message is larger than MQTT allows") == 0;
    }
    if (options_.qos != Qos::k0) {
      packet.packet_id = next_id_;
      next_id_ = next_id_ == UINT16_MAX ? 1 : static_cast<uint16_t>(next_id_ + 1);
      ++open_;
    }
    if (auto error = session_.send(packet)) return fail(error->text) == 0;
    return true;
  }

  // Waits for one packet; false when the message is lost.
  bool take_one() {
    Decoded packet;
    const ClientLink::Received received = session_.receive(kAckPatience, packet);
    if (received == ClientLink::Received::kTimeout) return fail("no acknowledgement came") == 0;
    const auto* const ack = std::get_if<Ack>(&packet);
    if (received != ClientLink::Received::kPacket || ack == nullptr) {
      return fail(ToolSession::text_of(received, packet)) == 0;
    }
    if (static_cast<uint8_t>(ack->reason) >= 0x80) {
      return fail("the broker refused the message: " + std::string(name_of(ack->reason))) == 0;
    }
    if (ack->type == PacketType::kPubRec) {
      if (auto error = session_.send_ack(PacketType::kPubRel, ack->packet_id)) {
        return fail(error->text) == 0;
      }
      return true;
    }
    --open_;
    return true;
  }

  static int fail(const std::string& text) {
    std::fprintf(stderr, "shoal pub: %s\n", text.c_str());
    return 1;
  }

  const PubOptions& options_;
  ToolSession session_;
  uint16_t next_id_ = 1;
  size_t open_ = 0;
};

}  // namespace

int run_pub(int argc, const char* const* argv) {
  const auto parsed = pub_options_of(argc, argv);
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    std::fprintf(usage->status == 0 ? stdout : stderr, "%s%s\n",
                 usage->status == 0 ? "" : "shoal pub: ", usage->text.c_str());
    return usage->status;
  }
  return Publisher(std::get<PubOptions>(parsed)).run();
}

}  // namespace shoal
