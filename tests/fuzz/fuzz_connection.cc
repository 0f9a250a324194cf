// Whole connections: bytes of four clients, cut and mixed as the input says, on two workers of one node or
// of two, with what else may happen to them. The brokers' invariants hold, and what they send are packets
// of the client's version of MQTT.
//
// An input is a byte whose lowest bit says whether there are two nodes, and a row of steps: a byte that
// names a client and an action, one for the action, and where that is to send as many bytes as it says.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/broker/test_cluster.h"
#include "tests/codec/bytes.h"

namespace {

using namespace shoal;
using test::TestClient;
using test::TestCluster;

constexpr size_t kClients = 4;
constexpr size_t kBrokers = 2;
constexpr size_t kStepsMax = 24;
constexpr size_t kStepsPerCheck = 8;  // walking over everything has its price

enum Action : uint8_t {
  kReconnect = 8,
  kStopReading,
  kReadAgain,
  kTime,
  kLease,
  kHold,
  kOperator,
  kPeerDown,
  kActions,  // all below kReconnect: bytes
};

[[noreturn]] void fail(const char* rule, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\n", rule, detail.c_str());
  std::abort();
}

// Small, so that a short input reaches them.
TestCluster::Options options_of(bool has_two_nodes) {
  TestCluster::Options options;
  options.nodes = has_two_nodes ? 2 : 1;
  options.workers = has_two_nodes ? 1 : 2;
  Limits& limits = options.config.limits;
  limits.packet_size_max = 4096;
  limits.receive_maximum = 3;
  limits.inflight_max = 3;
  limits.topic_alias_max = 2;
  limits.session_expiry_max_s = 1000;
  limits.subscriptions_max = 6;
  limits.queued_max = 4;
  limits.queued_bytes_max = 2048;
  limits.output_bytes_max = 1024;
  limits.output_bytes_low = 256;
  limits.large_payload = 100;
  return options;
}

class Clients {
 public:
  explicit Clients(bool has_two_nodes)
      : cluster_(options_of(has_two_nodes)), is_down_(!has_two_nodes) {
    cluster_.checks = false;
    cluster_.credentials = [](const CredentialCheck& check) {
      CredentialAnswer answer;
      answer.user = check.user_name.value_or("");
      if (answer.user == "no") answer.outcome = CredentialAnswer::Outcome::kNotAuthorized;
      return answer;
    };
    for (size_t i = 0; i < kClients; ++i) reconnect(i);
  }

  void step(size_t index, uint8_t action, uint8_t argument) {
    TestClient& client = *clients_[index].client;
    switch (action) {
      case kReconnect: return reconnect(index);
      case kStopReading: client.reads = false; return;
      case kReadAgain: return client.closed ? void() : cluster_.read_again(client);
      case kTime: return cluster_.advance(Duration::millis(4 * argument));
      case kLease: return cluster_.set_lease((argument & 1) != 0);
      case kHold: return hold(argument);
      case kOperator: return operate(client.broker, argument);
      case kPeerDown: return is_down_ ? void() : peer_down();
      default: fail("no such action", std::to_string(action));
    }
  }

  void send(size_t index, ByteView bytes) {
    Connected& one = clients_[index];
    if (one.client->closed) reconnect(index);
    if (!one.version) one.first_bytes.insert(one.first_bytes.end(), bytes.begin(), bytes.end());
    // From a buffer of its own, so that a read past its end is seen.
    cluster_.send_bytes(*one.client, Bytes(bytes.begin(), bytes.end()));
    if (!one.version) one.version = version_of(one.first_bytes);
  }

  void check() {
    for (size_t broker = 0; broker < kBrokers; ++broker) cluster_.broker(broker).check_invariants();
    for (Connected& one : clients_) check(one);
    if (::testing::Test::HasFailure()) fail("the fixture", "found what is printed above");
  }

 private:
  struct Connected {
    TestClient* client = nullptr;
    Bytes first_bytes;  // until they were a CONNECT
    std::optional<ProtocolVersion> version;
  };

  void reconnect(size_t index) {
    Connected& one = clients_[index];
    if (one.client != nullptr && !one.client->closed) cluster_.lose(*one.client);
    one = {&cluster_.accept(index % kBrokers), {}, {}};
    cluster_.settle();
  }

  void hold(uint8_t argument) {
    cluster_.hold_forwards = (argument & 1) != 0;
    cluster_.hold_acceptances = (argument & 2) != 0;
    cluster_.hold_retained = (argument & 4) != 0;
    cluster_.release_held();
  }

  void operate(size_t broker, uint8_t argument) {
    const char id[] = {static_cast<char>('a' + argument / 16 % 4), '\0'};
    switch (argument % 4) {
      case 0: return cluster_.mail(broker, AllClose{});
      case 1: return cluster_.mail(broker, Drain{static_cast<double>(argument / 4)});
      case 2: return cluster_.on_broker(broker, [&](Broker& b) { b.kick(id, cluster_.now()); });
      default:
        return cluster_.on_broker(
            broker, [&](Broker& b) { b.publish_system("$SYS/fuzz", id, cluster_.now()); });
    }
  }

  void peer_down() {
    is_down_ = true;
    cluster_.peer_down(0, 1);
  }

  static std::optional<ProtocolVersion> version_of(const Bytes& bytes) {
    Frame frame;
    if (next_frame(bytes, kPacketSizeMax, frame) != FrameStatus::kComplete) return {};
    const Decoded decoded = decode_packet(frame, ProtocolVersion::kMqtt5, Sender::kClient);
    const auto* const connect = std::get_if<Connect>(&decoded);
    return connect != nullptr ? std::optional(connect->version) : std::nullopt;
  }

  void check(Connected& one) {
    TestClient& client = *one.client;
    if (!client.reads && !client.received.empty()) return;
    for (const Bytes& bytes : client.take_frames()) {
      if (!one.version) continue;  // of what was refused: a CONNACK of any version
      Frame frame;
      next_frame(bytes, kPacketSizeMax, frame);
      const Decoded decoded = decode_packet(frame, *one.version, Sender::kServer);
      if (const auto* wrong = std::get_if<Malformed>(&decoded)) {
        fail("a broker sent no packet", std::string(wrong->detail) + ": " + hex_of(bytes));
      }
    }
  }

  TestCluster cluster_;
  std::array<Connected, kClients> clients_;
  bool is_down_;  // or there is no peer
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Clients clients(size > 0 && (data[0] & 1) != 0);
  ByteView left = ByteView(data, size).subspan(size > 0 ? 1 : 0);
  for (size_t steps = 0; left.size() >= 2 && steps < kStepsMax; ++steps) {
    const size_t client = left[0] % kClients;
    const uint8_t action = left[0] / kClients % kActions;
    const uint8_t argument = left[1];
    left = left.subspan(2);
    if (action >= kReconnect) {
      clients.step(client, action, argument);
    } else {
      const ByteView bytes = left.first(std::min<size_t>(argument, left.size()));
      clients.send(client, bytes);
      left = left.subspan(bytes.size());
    }
    if (steps % kStepsPerCheck == 0) clients.check();
  }
  clients.check();
  return 0;
}
