#include "node/broker/header_cache.h"

namespace shoal {

std::optional<uint32_t> remaining_expiry_s(const MessageView& message, Instant now) {
  if (message.expires_at == Instant::never()) return std::nullopt;
  const int64_t left = (message.expires_at - now).ns;
  return left <= 0 ? 0 : static_cast<uint32_t>((left + 999'999'999) / 1'000'000'000);
}

const HeaderCache::Header& HeaderCache::get(const MessageView& message, ProtocolVersion version,
                                            Qos qos, Instant now) {
  const bool is_5 = version == ProtocolVersion::kMqtt5;
  Header& header = headers_[(is_5 ? 2 : 0) + (qos == Qos::k0 ? 0 : 1)];
  if (header.made) return header;
  PublishHeader fields;
  fields.qos = qos;
  fields.packet_id = qos == Qos::k0 ? 0 : 1;  // patched
  fields.topic = message.topic;
  fields.payload_size = message.payload.size();
  if (is_5) {
    fields.message_expiry_s = remaining_expiry_s(message, now);
    fields.application_properties = message.properties;
  }
  header.bytes.resize(encoded_size(fields, version));
  header.patch = encode(fields, version, header.bytes.data());
  header.made = true;
  return header;
}

}  // namespace shoal
