#include "cluster/replica/message_spec.h"

#include <algorithm>
#include <string_view>

#include "shoal/byte_view.h"

namespace shoal::replica {
namespace {

ByteView payload_of(ByteView own, const JoinedPayload& joined) {
  return joined.bytes ? ByteView(joined.bytes.get(), joined.size) : own;
}

}  // namespace

shard::MessageSpec spec_of(const Message& message, Now now) {
  shard::MessageSpec spec{.topic = message.topic(),
                          .properties = text_of(message.properties()),
                          .payload = text_of(message.payload()),
                          .qos = message.qos(),
                          .retain = message.retain(),
                          .publisher = message.publisher()};
  if (message.expires_at() != Instant::never()) {
    const int64_t left_ms = (message.expires_at() - now.mono).to_millis();
    spec.expiry_s = static_cast<uint32_t>(std::max<int64_t>(left_ms + 999, 0) / 1000);
  }
  return spec;
}

MessageRef message_of(const proto::StoreMessage& from, Now now, const JoinedPayload& joined) {
  MessageView view;
  view.qos = static_cast<Qos>(from.published_qos());
  view.retain = from.published_retain();
  view.topic = from.topic();
  view.properties = bytes_of(from.properties());
  view.payload = payload_of(bytes_of(from.payload()), joined);
  view.publisher = from.publisher();
  if (from.expires()) {
    view.expires_at = now.mono + Duration::millis(static_cast<int64_t>(from.expires_in_ms()));
  }
  return Message::create(view, joined.bytes);
}

MessageRef message_of(const shard::Body& from, Now now, const JoinedPayload& joined) {
  MessageView view;
  view.qos = from.qos;
  view.retain = from.retain;
  view.topic = from.topic;
  view.properties = bytes_of(from.properties);
  view.payload = payload_of(bytes_of(from.payload), joined);
  view.publisher = from.publisher;
  if (from.expires_at != 0) {
    view.expires_at =
        now.mono + Duration::millis(static_cast<int64_t>(from.expires_at) - now.wall_ms);
  }
  return Message::create(view, joined.bytes);
}

}  // namespace shoal::replica
