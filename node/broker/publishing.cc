// PUBLISH from a client: what is checked and kept before the message goes its way, and the
// acknowledgements that go back.
#include <algorithm>

#include "node/broker/core.h"
#include "node/codec/utf8.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

void Core::on_publish(Connection& c, const Frame& frame, SharedBytes owner) {
  Publish in;
  if (const DecodeStatus status = decode_publish(frame, c.version, Sender::kClient, in);
      !status.ok()) {
    return protocol_error(c, status);
  }
  ++counters_.publishes_in[static_cast<size_t>(in.qos)];
  counters_.payload_bytes_in += in.payload.size();
  if (in.qos > config_.listeners[c.listener].max_qos) {
    return protocol_error(c, ReasonCode::kQosNotSupported, "QoS above Maximum QoS");
  }
  if (in.topic_alias && !resolve_alias(c, in)) return;
  if (in.qos != Qos::k0) {
    if (is_repeat(c, in)) return;
    if (c.version == ProtocolVersion::kMqtt5 && c.open_in >= config_.limits.receive_maximum) {
      return protocol_error(c, ReasonCode::kReceiveMaximumExceeded,
                            "more than Receive Maximum");  // [MQTT5-3.3.4-7]
    }
  }
  if (const auto refused = check_publish(c, in)) return refuse_publish(c, in, *refused);

  Publication p;
  p.view = view_of(c, in);
  p.owner = std::move(owner);
  p.publisher = c.session;
  p.waits = Ticket::For::kClient;
  p.conn = c.id;
  p.packet_id = in.packet_id;
  p.since = now_.mono;
  if (in.qos == Qos::k0) return route(p);
  ++c.open_in;
  const bool follows_parked = c.extra && !c.extra->parked.empty();
  const bool may_overtake = follows_parked && SHOAL_MUTATED("parked-is-overtaken");
  const bool may_go = (has_lease() && !follows_parked) || SHOAL_MUTATED("publish-without-lease");
  if (!may_go && !may_overtake) return park(c, p);
  work_on(c, p);
}

// The topic that the alias stands for; remembers a new one. False: the connection is closed.
bool Core::resolve_alias(Connection& c, Publish& in) {
  const uint16_t alias = *in.topic_alias;  // [MQTT5-3.3.2-12]
  if (alias >
      config_.limits.topic_alias_max) {  // [MQTT5-3.2.2-17] [MQTT5-3.2.2-18] [MQTT5-3.3.2-9]
    protocol_error(c, ReasonCode::kTopicAliasInvalid, "alias above Topic Alias Maximum");
    return false;
  }
  std::vector<std::string>& aliases = c.need_extra().aliases_in;  // gone with it [MQTT5-3.3.2-7]
  if (aliases.size() < alias) aliases.resize(alias);
  std::string& known = aliases[alias - 1];
  if (!in.topic.empty()) {
    known = in.topic;
  } else if (known.empty()) {
    protocol_error(c, ReasonCode::kProtocolError, "alias that was not set");
    return false;
  }
  in.topic = known;
  return true;
}

// Why the message is refused while the connection goes on.
std::optional<ReasonCode> Core::check_publish(Connection& c, const Publish& in) {
  if (is_reserved_topic(in.topic)) {  // 4.7.2: not for clients among themselves
    drop(DropReason::kSystemTopic);
    return ReasonCode::kNotAuthorized;
  }
  if (c.session->access && !c.session->access->may_publish(in.topic)) {
    drop(DropReason::kNotAllowed);
    return ReasonCode::kNotAuthorized;
  }
  if (is_payload_misdeclared(in.application, in.payload)) return ReasonCode::kPayloadFormatInvalid;
  return std::nullopt;
}

bool Core::is_payload_misdeclared(const ApplicationProperties& properties, ByteView payload) const {
  return config_.check_payload_format && properties.payload_format.value_or(0) == 1 &&
         !is_well_formed_utf8(text_of(payload));
}

// A 5.0 client is told. A 3.x client gets the acknowledgement that it waits for [MQTT311-3.3.5-2];
// QoS 0 cannot be answered.
void Core::refuse_publish(Connection& c, const Publish& in, ReasonCode reason) {
  if (in.qos == Qos::k0) {
    if (reason == ReasonCode::kPayloadFormatInvalid) {
      protocol_error(c, reason, "payload is not UTF-8");
    }
    return;
  }
  const bool is_5 = c.version == ProtocolVersion::kMqtt5;
  Ack out;
  out.type = in.qos == Qos::k1 ? PacketType::kPubAck : PacketType::kPubRec;
  out.packet_id = in.packet_id;  // new again after an error [MQTT5-4.3.3-9]
  out.reason = is_5 ? reason : ReasonCode::kSuccess;
  explain(c, out, name_of(reason));  // [MQTT5-3.4.2-2] [MQTT5-3.5.2-2]
  write(c, out);
}

// A message that the store did not take for a limit that is configured. 3.x has no name for that.
void Core::refuse_over_quota(Connection& c, Qos qos, uint16_t packet_id) {
  if (c.open_in > 0) --c.open_in;
  if (qos == Qos::k2 && c.session->is_stored()) c.session->durable->received.erase(packet_id);
  Publish in;
  in.qos = qos;
  in.packet_id = packet_id;
  refuse_publish(c, in, ReasonCode::kQuotaExceeded);
}

// A QoS 2 message that came before is acknowledged again, and goes nowhere [MQTT5-4.3.3-10]
// [MQTT311-4.3.3-2]; it is known by its identifier [MQTT311-2.3.1-3].
bool Core::is_repeat(Connection& c, const Publish& in) {
  if (c.session->is_stored()) return false;  // for the store to tell
  const Parked* const parked = find_parked(c, in.packet_id);
  const bool parked_2 = parked && parked->message->qos() == Qos::k2;
  if (parked_2 && in.qos == Qos::k2) return true;
  const Session& s = *c.session;
  const bool received_2 =
      s.received && s.received->contains(in.packet_id) && !SHOAL_MUTATED("qos2-repeat-is-new");
  if (in.qos == Qos::k1) return (parked_2 || received_2) && refuse_identifier(c, in);
  if (!received_2) return parked && refuse_identifier(c, in);
  const bool is_on_its_way = s.received->find(in.packet_id)->second != nullptr;
  if (!is_on_its_way) acknowledge(c, Qos::k2, in.packet_id);
  return true;
}

// The identifier is in use for a message of another QoS. A 3.x client cannot be told; it has lost what
// it knew of that message, and this one is taken. True: it was refused.
bool Core::refuse_identifier(Connection& c, const Publish& in) {
  if (c.version != ProtocolVersion::kMqtt5) return false;
  refuse_publish(c, in, ReasonCode::kPacketIdentifierInUse);
  return true;
}

MessageView Core::view_of(const Connection& c, const Publish& in) {
  MessageView view;
  view.qos = in.qos;
  view.retain = in.retain;
  view.topic = in.topic;
  view.payload = in.payload;
  view.publisher = c.session->hash;
  if (c.version != ProtocolVersion::kMqtt5) return view;
  if (in.application.is_contiguous()) {
    view.properties = in.application.window;
  } else {
    properties_scratch_.clear();
    append_application_properties(in.application, properties_scratch_);
    view.properties = properties_scratch_;
  }
  if (in.message_expiry_s) {
    view.expires_at = now_.mono + Duration::seconds(*in.message_expiry_s);
  }
  return view;
}

// ---- without a lease --------------------------------------------------------------------------------

const Parked* Core::find_parked(const Connection& c, uint16_t packet_id) const {
  if (!c.extra) return nullptr;
  const Ring<Parked>& parked = c.extra->parked;
  for (uint32_t i = 0; i < parked.size(); ++i) {
    if (parked[i].packet_id == packet_id) return &parked[i];
  }
  return nullptr;
}

// Without a lease this worker may not know of every subscription: nothing may be acknowledged on what
// it knows. The message waits, and all of its connection's that follow it.
void Core::park(Connection& c, Publication& p) {
  ConnectionExtra& extra = c.need_extra();
  if (extra.parked.empty()) parked_.push_back(c.id);
  extra.parked.push_back({p.reference(), p.packet_id, p.since});
  ++counters_.parked_now;
  waits_more(c);
  if (is_large(p)) {
    budget_.charge(p.view.payload.size());
    pause(c, kPauseLarge);
  }
}

// It is worked on now, or forgotten.
void Core::take_from_parking(const Parked& parked) {
  --counters_.parked_now;
  const size_t bytes = parked.message->payload().size();
  if (bytes >= config_.limits.large_payload) budget_.give_back(bytes);
}

void Core::unpark() {
  if (!has_lease()) return;
  for (const ConnId conn : std::exchange(parked_, {})) {
    Connection* const c = find(conn);
    if (c && c->phase == Phase::kConnected) unpark(*c);
  }
}

void Core::unpark(Connection& c) {
  while (!c.extra->parked.empty()) {
    const Parked parked = c.extra->parked.pop_front();
    take_from_parking(parked);
    Publication p;
    p.message = parked.message;
    p.view = parked.message->view();
    p.publisher = c.session;
    p.waits = Ticket::For::kClient;
    p.conn = c.id;
    p.packet_id = parked.packet_id;
    p.since = parked.since;
    work_on(c, p);
    waits_less(c);
  }
}

// ---- on its way ---------------------------------------------------------------------------------------

void Core::work_on(Connection& c, Publication& p) {
  if (p.view.qos == Qos::k2 && c.session->is_stored()) return receive_stored(p);
  if (p.view.qos == Qos::k2) {
    auto& received = c.session->received;
    if (!received) received = std::make_unique<absl::flat_hash_map<uint16_t, Ticket*>>();
    received->emplace(p.packet_id, nullptr);
  }
  route(p);
}

// The message has reached everyone it was for [MQTT5-3.3.4-1] [MQTT311-3.3.4-1] [MQTT5-4.3.2-4]
// [MQTT5-4.3.3-8], under its own identifier [MQTT5-2.2.1-5] [MQTT311-2.3.1-6], which is free for a new
// message then [MQTT5-4.3.2-5] [MQTT311-4.3.2-2].
void Core::acknowledge(Connection& c, Qos qos, uint16_t packet_id) {
  if (qos == Qos::k0) return;
  if (qos == Qos::k1 && c.open_in > 0) --c.open_in;
  const auto type = qos == Qos::k1 ? PacketType::kPubAck : PacketType::kPubRec;
  uint8_t* const out = c.output.append(4);
  out[0] = static_cast<uint8_t>(static_cast<uint8_t>(type) << 4);
  out[1] = 2;  // the reason code may be left out when it is 0x00 (3.4.2.1)
  out[2] = static_cast<uint8_t>(packet_id >> 8);
  out[3] = static_cast<uint8_t>(packet_id);
  count_out(c, 4);
}

void Core::on_pubrel(Connection& c, const Frame& frame) {
  Ack in;
  if (const DecodeStatus status = decode_ack(frame, c.version, Sender::kClient, in); !status.ok()) {
    return protocol_error(c, status);  // [MQTT5-3.6.1-1] [MQTT311-3.6.1-1]
  }
  if (c.session->is_stored()) return release_stored(c, in.packet_id);
  auto* const received = c.session->received.get();
  const auto found = received ? received->find(in.packet_id) : decltype(received->find(0))();
  const bool known = received && found != received->end();
  if (known && found->second) {
    return protocol_error(c, ReasonCode::kProtocolError, "PUBREL before PUBREC");
  }
  if (known) {  // the identifier is new again [MQTT5-4.3.3-12]
    received->erase(found);
    if (c.open_in > 0) --c.open_in;
  }
  Ack out;  // [MQTT5-4.3.3-11] [MQTT311-4.3.3-2]
  out.type = PacketType::kPubComp;
  out.packet_id = in.packet_id;
  if (!known) out.reason = ReasonCode::kPacketIdentifierNotFound;  // [MQTT5-3.7.2-1]
  write(c, out);
}

}  // namespace shoal
