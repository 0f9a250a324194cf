#include "node/client/tool_session.h"

#include <unistd.h>

#include <random>

#include "node/codec/reason_code.h"

namespace shoal {
namespace {

constexpr Duration kConnectPatience = Duration::seconds(10);
constexpr uint16_t kKeepAliveS = 60;

std::string random_client_id() {
  static constexpr char kLetters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::string id = "shoal-";  // 23 bytes at most: all that a server must take [MQTT311-3.1.3-5]
  for (int i = 0; i < 16; ++i) id += kLetters[random() % (sizeof kLetters - 1)];
  return id;
}

}  // namespace

ToolSession::ToolSession(const ClientOptions& options)
    : options_(options),
      client_id_(options.client_id.empty() ? random_client_id() : options.client_id) {}

std::optional<LinkError> ToolSession::open() {
  if (auto error = link_.open(options_.target, kConnectPatience)) return error;
  if (auto error = send_connect()) return error;
  return wait_connack();
}

std::optional<LinkError> ToolSession::send_connect() {
  Connect connect;
  connect.version = options_.version;
  connect.clean_start = true;
  connect.keep_alive_s = kKeepAliveS;
  connect.client_id = client_id_;
  if (options_.user) connect.user_name = *options_.user;
  if (options_.password) {
    connect.password = ByteView(reinterpret_cast<const uint8_t*>(options_.password->data()),
                                options_.password->size());
  }
  return send(connect);
}

std::optional<LinkError> ToolSession::wait_connack() {
  Decoded packet;
  const ClientLink::Received received = link_.receive(options_.version, kConnectPatience, packet);
  if (received == ClientLink::Received::kTimeout)
    return LinkError{"the broker does not answer CONNECT"};
  const auto* const connack = std::get_if<ConnAck>(&packet);
  if (received != ClientLink::Received::kPacket || connack == nullptr) {
    return LinkError{text_of(received, packet)};
  }
  if (connack->reason == ReasonCode::kSuccess) return std::nullopt;
  return LinkError{"the broker refused: " + std::string(name_of(connack->reason))};
}

void ToolSession::close() {
  if (link_.is_open()) send(Disconnect{});
  link_.close();
}

std::optional<LinkError> ToolSession::send_ack(PacketType type, uint16_t packet_id) {
  Ack ack;
  ack.type = type;
  ack.packet_id = packet_id;
  return send(ack);
}

ClientLink::Received ToolSession::receive(Duration timeout, Decoded& out) {
  constexpr Duration kPingEvery = Duration::seconds(kKeepAliveS / 2);
  while (true) {
    const Duration slice = std::min(timeout, kPingEvery);
    const ClientLink::Received received = link_.receive(options_.version, slice, out);
    if (received == ClientLink::Received::kTimeout && slice < timeout) {
      timeout = timeout - slice;
      if (send(PingReq{})) return ClientLink::Received::kClosed;
      continue;
    }
    if (received == ClientLink::Received::kPacket && std::holds_alternative<PingResp>(out))
      continue;
    return received;
  }
}

std::string ToolSession::text_of(ClientLink::Received received, const Decoded& packet) {
  if (received == ClientLink::Received::kBroken) return "what the broker sent is not MQTT";
  if (received == ClientLink::Received::kClosed) return "the broker closed the connection";
  if (const auto* const disconnect = std::get_if<Disconnect>(&packet)) {
    return "the broker closed the connection: " + std::string(name_of(disconnect->reason));
  }
  return "the broker sent something out of turn";
}

}  // namespace shoal
