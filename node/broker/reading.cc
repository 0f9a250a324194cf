// Bytes to packets: packets that are whole in the bytes just read are worked on where they lie;
// only the beginning of a packet that is not whole yet is kept.
#include <algorithm>

#include "node/broker/core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// So much that is still to come of a packet takes its time on a slow line.
constexpr size_t kLongPacket = 1000;

// A publisher's turn ends when its messages have reached so many subscribers; the rest of what it
// sent waits until others had theirs.
constexpr uint32_t kDeliveriesPerTurn = 50'000;

}  // namespace

void Core::read(Connection& c, std::span<const uint8_t> bytes) {
  if (!c.open()) return;
  if (!may_read(c)) {
    list_pause(c);
    keep_unread(c, bytes, 0);
    return;
  }
  if (c.extra && !c.extra->unread.empty() && !finish_unread(c, bytes)) return;
  const size_t used = read_frames(c, bytes);
  if (!c.open()) return;
  bytes = bytes.subspan(used);
  Frame frame;
  if (!bytes.empty()) {
    frame_of(c, bytes, frame);
    keep_unread(c, bytes, frame.size);
  }
}

// Works off what was kept, topped up from `bytes` only as far as each packet needs. True when nothing
// is kept any more.
bool Core::finish_unread(Connection& c, std::span<const uint8_t>& bytes) {
  while (c.extra && !c.extra->unread.empty()) {
    Unread& unread = c.extra->unread;
    Frame frame;
    const FrameStatus status = frame_of(c, unread.bytes(), frame);
    if (status == FrameStatus::kNeedMore) {
      if (bytes.empty()) return false;
      const size_t missing = frame.size > 0 ? frame.size - unread.size() : 1;
      const size_t take = std::min(missing, bytes.size());
      if (!keep_unread(c, bytes.first(take), frame.size)) return false;
      bytes = bytes.subspan(take);
    } else if (status != FrameStatus::kComplete) {
      refuse_frame(c, status, unread.bytes());
      return false;
    } else if (!handle_unread_frame(c, frame)) {
      if (c.open()) keep_unread(c, bytes, 0);
      return false;
    }
  }
  return true;
}

// One whole packet at the front of what was kept. False when the connection may not go on.
bool Core::handle_unread_frame(Connection& c, const Frame& frame) {
  // The buffer is taken away from the connection: working on the packet may close it.
  Unread unread = std::move(c.extra->unread);
  if (frame.size == unread.size() && frame.size > Message::kInlinePayloadMax) {
    on_frame(c, frame, unread.release());
  } else {
    on_frame(c, frame, nullptr);
    unread.drop_front(frame.size);
  }
  if (!c.open()) return false;
  if (!unread.empty()) c.need_extra().unread = std::move(unread);
  return may_read(c);
}

// Returns how many bytes were worked off: the rest is the beginning of a packet, or is not to be
// worked on now.
size_t Core::read_frames(Connection& c, std::span<const uint8_t> bytes) {
  size_t used = 0;
  while (used < bytes.size() && may_read(c)) {
    Frame frame;
    const FrameStatus status = frame_of(c, bytes.subspan(used), frame);
    if (status == FrameStatus::kNeedMore) break;
    if (status != FrameStatus::kComplete) {
      refuse_frame(c, status, bytes.subspan(used));
      break;
    }
    used += frame.size;
    on_frame(c, frame, nullptr);
    if (turn_deliveries_ > kDeliveriesPerTurn && c.open()) {
      turn_used_up_.push_back(c.id);
      pause(c, kPauseTurn);
    }
  }
  return used;
}

FrameStatus Core::frame_of(const Connection& c, std::span<const uint8_t> bytes,
                           Frame& frame) const {
  if (c.phase == Phase::kConnected) return next_frame(bytes, packet_size_max_, frame);
  const size_t size_max = std::min<size_t>(packet_size_max_, config_.limits.connect_size_max);
  const FrameStatus status = next_frame(bytes, size_max, frame);
  const bool is_connect = c.phase == Phase::kWaitConnect && frame.type() == PacketType::kConnect;
  if (status != FrameStatus::kTooLarge || !is_connect || bytes.size() >= kConnectBeginning) {
    return status;
  }
  frame.size = kConnectBeginning;  // as much as tells how to answer
  return FrameStatus::kNeedMore;
}

bool Core::keep_unread(Connection& c, std::span<const uint8_t> bytes, size_t whole) {
  if (bytes.empty()) return true;
  Unread& unread = c.need_extra().unread;
  if (unread.append(bytes, whole, budget_of(c))) {
    // Its client cannot send PINGREQ in the midst of a packet that takes long to arrive.
    if (c.phase == Phase::kConnected && whole > unread.size() + kLongPacket) c.last_in = now_.mono;
    return true;
  }
  // [MQTT311-4.8.0-2]
  protocol_error(c, ReasonCode::kQuotaExceeded, "too much is arriving at this node");
  return false;
}

void Core::refuse_frame(Connection& c, FrameStatus status, std::span<const uint8_t> beginning) {
  if (status == FrameStatus::kTooLarge) {
    if (c.phase == Phase::kWaitConnect) {
      const auto version = answer_to_beginning(beginning);
      c.may_answer = version.has_value();
      c.version = version.value_or(c.version);
      // How large a packet the client takes was not read.
      c.packet_size_max = static_cast<uint32_t>(encoded_size(ConnAck{}, c.version));
    }
    protocol_error(c, ReasonCode::kPacketTooLarge,
                   "packet above Maximum Packet Size");  // [MQTT5-3.2.2-15]
  } else {
    protocol_error(c, ReasonCode::kMalformedPacket, "bad Remaining Length");
  }
}

void Core::on_frame(Connection& c, const Frame& frame, SharedBytes owner) {
  ++counters_.packets_in;
  switch (c.phase) {
    case Phase::kConnected:
      c.last_in = now_.mono;
      return on_connected_frame(c, frame, std::move(owner));
    case Phase::kWaitConnect: return on_connect(c, frame);
    case Phase::kAuthenticating:
      if (frame.type() == PacketType::kAuth) return on_auth(c, frame);
      if (frame.type() == PacketType::kDisconnect) return close_silently(c, false);
      // [MQTT5-3.1.2-30]
      return protocol_error(c, ReasonCode::kProtocolError, "only AUTH may come now");
    default: SHOAL_ASSERT(false && "a connection that waits for us is not read");
  }
}

void Core::on_connected_frame(Connection& c, const Frame& frame, SharedBytes owner) {
  switch (frame.type()) {
    case PacketType::kPublish: return on_publish(c, frame, std::move(owner));
    case PacketType::kPubAck: return on_puback(c, frame);
    case PacketType::kPubRec: return on_pubrec(c, frame);
    case PacketType::kPubRel: return on_pubrel(c, frame);
    case PacketType::kPubComp: return on_pubcomp(c, frame);
    case PacketType::kSubscribe: return on_subscribe(c, frame);
    case PacketType::kUnsubscribe: return on_unsubscribe(c, frame);
    case PacketType::kPingReq:
      if (const DecodeStatus status = decode_ping(frame, c.version); !status.ok()) {
        return protocol_error(c, status);
      }
      write(c, PingResp{});  // [MQTT5-3.12.4-1] [MQTT311-3.12.4-1]
      return;
    case PacketType::kDisconnect: return on_disconnect(c, frame);
    case PacketType::kAuth:
      if (c.version == ProtocolVersion::kMqtt5) return on_auth(c, frame);
      break;
    case PacketType::kConnect:  // a second one [MQTT5-3.1.0-2] [MQTT311-3.1.0-2]
    default:                    // a packet that only a server sends, or none at all (2.1.2)
      break;
  }
  const bool reserved = frame.type() == PacketType::kReserved ||
                        (frame.type() == PacketType::kAuth && c.version != ProtocolVersion::kMqtt5);
  protocol_error(c, reserved ? ReasonCode::kMalformedPacket : ReasonCode::kProtocolError,
                 "a packet that a client must not send now");
}

}  // namespace shoal
