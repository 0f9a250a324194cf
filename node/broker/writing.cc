// PUBLISH packets to one client: one header for many subscribers where that can be, and payloads that
// go out from where they lie where that is worth it.
#include <cstring>

#include "node/broker/core.h"

namespace shoal {
namespace {

// From here on a payload goes out from where it lies, as a piece of its own in the gathered write.
constexpr size_t kSharedPayload = 8 * 1024;

}  // namespace

// False when the client does not take a packet of this size [MQTT5-3.1.2-24].
bool Core::write_publish(Connection& c, Publication& p, const Outgoing& how) {
  const bool is_5 = c.version == ProtocolVersion::kMqtt5;
  const bool plain =
      p.headers && (!is_5 || (how.identifiers.empty() && !(c.extra && c.extra->aliases_out)));
  if (!plain) return write_special(c, p, how);
  const HeaderCache::Header& header = p.headers->get(p.view, c.version, how.qos, now_.mono);
  if (header.bytes.size() + p.view.payload.size() > c.packet_size_max) {
    drop(DropReason::kPacketTooLarge);
    return false;
  }
  uint8_t* const out = append_packet(c, p, header.bytes.size());
  std::memcpy(out, header.bytes.data(), header.bytes.size());
  out[0] = publish_first_byte(how.dup, how.qos, how.retain);
  if (how.qos != Qos::k0) patch_packet_id(out, header.patch, how.packet_id);
  finish_packet(c, p, out, header.bytes.size(), how.qos);
  return true;
}

// A header that is for this subscriber alone: identifiers, an alias, or a message from its queue.
bool Core::write_special(Connection& c, Publication& p, const Outgoing& how) {
  PublishHeader header;
  header.dup = how.dup;
  header.qos = how.qos;
  header.retain = how.retain;
  header.packet_id = how.packet_id;
  header.topic = p.view.topic;
  header.payload_size = p.view.payload.size();
  header.message_expiry_s = remaining_expiry_s(p.view, now_.mono);
  header.subscription_identifiers = how.identifiers;  // [MQTT5-3.3.4-3]
  header.application_properties = p.view.properties;
  AliasTable* const aliases = c.extra ? c.extra->aliases_out.get() : nullptr;
  AliasTable::Use use;
  if (aliases) {
    use = aliases->look_up(p.view.topic);
    header.topic_alias = use.alias;
    if (use.known) header.topic = {};
  }
  const size_t size = encoded_size(header, c.version);
  if (size + p.view.payload.size() > c.packet_size_max) {
    drop(DropReason::kPacketTooLarge);
    return false;
  }
  if (aliases) aliases->set(p.view.topic, use);
  uint8_t* const out = append_packet(c, p, size);
  encode(header, c.version, out);
  finish_packet(c, p, out, size, how.qos);
  return true;
}

// Room for the header, and for a payload that is copied behind it.
uint8_t* Core::append_packet(Connection& c, Publication& p, size_t header_size) {
  const size_t payload = p.view.payload.size();
  return c.output.append(payload < kSharedPayload ? header_size + payload : header_size);
}

void Core::finish_packet(Connection& c, Publication& p, uint8_t* out, size_t header_size, Qos qos) {
  const auto payload = p.view.payload;
  if (payload.size() >= kSharedPayload) {
    const MessageRef& message = p.reference();
    c.output.append_shared(message->payload(), message);
  } else if (!payload.empty()) {
    std::memcpy(out + header_size, payload.data(), payload.size());
  }
  ++counters_.publishes_out[static_cast<size_t>(qos)];
  counters_.payload_bytes_out += payload.size();
  count_out(c, header_size + payload.size());
}

}  // namespace shoal
