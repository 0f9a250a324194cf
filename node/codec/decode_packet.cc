#include "node/codec/decode.h"

namespace shoal {
namespace {

enum : uint8_t { kFromClient = 1, kFromServer = 2, kFromBoth = 3 };

// Who may send a packet type (2.1.2). 0 is forbidden, as is 15 before 5.0.
uint8_t senders_of(PacketType type, ProtocolVersion version) {
  switch (type) {
    case PacketType::kConnect:
    case PacketType::kSubscribe:
    case PacketType::kUnsubscribe:
    case PacketType::kPingReq: return kFromClient;
    case PacketType::kConnAck:
    case PacketType::kSubAck:
    case PacketType::kUnsubAck:
    case PacketType::kPingResp: return kFromServer;
    case PacketType::kPublish:
    case PacketType::kPubAck:
    case PacketType::kPubRec:
    case PacketType::kPubRel:
    case PacketType::kPubComp: return kFromBoth;
    case PacketType::kDisconnect:
      return version == ProtocolVersion::kMqtt5 ? kFromBoth : kFromClient;
    case PacketType::kAuth: return version == ProtocolVersion::kMqtt5 ? kFromBoth : 0;
    case PacketType::kReserved: break;
  }
  return 0;
}

// Decodes in place: a variant of views is large enough that its copies would show.
template <class Packet, class Decode>
Decoded decode_as(Decode decode) {
  Decoded result(std::in_place_type<Packet>);
  const DecodeStatus status = decode(std::get<Packet>(result));
  if (!status.ok()) result = Malformed{status.reason(), status.detail(), std::nullopt};
  return result;
}

Decoded decode_any_connect(const Frame& frame) {
  std::optional<ProtocolVersion> answer_as;
  Decoded result =
      decode_as<Connect>([&](Connect& out) { return decode_connect(frame, out, answer_as); });
  if (auto* malformed = std::get_if<Malformed>(&result)) malformed->answer_as = answer_as;
  return result;
}

}  // namespace

Decoded decode_packet(const Frame& frame, ProtocolVersion version, Sender sender) {
  const PacketType type = frame.type();
  const uint8_t senders = senders_of(type, version);
  if (senders == 0) return Malformed{ReasonCode::kMalformedPacket, "forbidden packet type", {}};
  if ((senders & (sender == Sender::kClient ? kFromClient : kFromServer)) == 0) {
    return Malformed{ReasonCode::kProtocolError, "packet type in the wrong direction", {}};
  }
  switch (type) {
    case PacketType::kConnect: return decode_any_connect(frame);
    case PacketType::kConnAck:
      return decode_as<ConnAck>([&](ConnAck& out) { return decode_connack(frame, version, out); });
    case PacketType::kPublish:
      return decode_as<Publish>(
          [&](Publish& out) { return decode_publish(frame, version, sender, out); });
    case PacketType::kPubAck:
    case PacketType::kPubRec:
    case PacketType::kPubRel:
    case PacketType::kPubComp:
      return decode_as<Ack>([&](Ack& out) { return decode_ack(frame, version, sender, out); });
    case PacketType::kSubscribe:
      return decode_as<Subscribe>(
          [&](Subscribe& out) { return decode_subscribe(frame, version, out); });
    case PacketType::kSubAck:
      return decode_as<SubAck>([&](SubAck& out) { return decode_suback(frame, version, out); });
    case PacketType::kUnsubscribe:
      return decode_as<Unsubscribe>(
          [&](Unsubscribe& out) { return decode_unsubscribe(frame, version, out); });
    case PacketType::kUnsubAck:
      return decode_as<UnsubAck>(
          [&](UnsubAck& out) { return decode_unsuback(frame, version, out); });
    case PacketType::kPingReq:
      return decode_as<PingReq>([&](PingReq&) { return decode_ping(frame, version); });
    case PacketType::kPingResp:
      return decode_as<PingResp>([&](PingResp&) { return decode_ping(frame, version); });
    case PacketType::kDisconnect:
      return decode_as<Disconnect>(
          [&](Disconnect& out) { return decode_disconnect(frame, version, sender, out); });
    case PacketType::kAuth:
      return decode_as<Auth>([&](Auth& out) { return decode_auth(frame, sender, out); });
    case PacketType::kReserved: break;
  }
  return Malformed{ReasonCode::kMalformedPacket, "forbidden packet type", {}};
}

}  // namespace shoal
