// Wills: kept with the session from CONNECT on [MQTT5-3.1.2-7] [MQTT311-3.1.2-8], published when the
// connection has ended and the delay or the session is over, unless they were discarded.
#include "node/broker/core.h"
#include "shoal/mutation.h"

namespace shoal {

std::optional<StoredWill> Core::will_of(const Connect& in, Session& s) const {
  if (!in.will) return std::nullopt;  // [MQTT311-3.1.2-12]
  const Will& will = *in.will;
  MessageView view;
  view.qos = will.qos;
  view.retain =
      will.retain;  // [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17]
  view.topic = will.topic;
  view.payload = will.payload;
  view.publisher = s.hash;
  std::vector<uint8_t> properties;  // in their order [MQTT5-3.1.3-10]
  append_application_properties(will.application, properties);
  view.properties = properties;
  StoredWill stored;
  stored.message = Message::create(view);
  stored.delay_s = will.delay_s.value_or(0);
  stored.message_expiry_s = will.message_expiry_s;
  return stored;
}

bool Core::is_will_discarded(const Session& s, Ending ending) const {
  if (!s.extra || !s.extra->will) return false;
  if (SHOAL_MUTATED("will-after-goodbye")) return false;
  if (ending == Ending::kByClient) return true;  // [MQTT5-3.14.4-3] [MQTT311-3.14.4-3]
  // The client is back before its delay has passed [MQTT5-3.1.3-9]; but a session that ends with its
  // connection is not the one that it is back to.
  return ending == Ending::kTakenOver && s.extra->will->delay_s > 0 && s.expiry_s > 0;
}

// The connection is gone: the will comes now, or after its delay, but at the latest when the session
// ends [MQTT5-3.1.2-8] [MQTT311-3.1.2-8].
void Core::will_is_due(Session& s) {
  if (!s.extra || !s.extra->will) return;
  const uint32_t delay_s = s.extra->will->delay_s;
  if (delay_s == 0) return publish_will(s);
  s.extra->will_at = now_.mono + Duration::seconds(delay_s);
}

void Core::publish_will(Session& s) {
  if (!s.extra || !s.extra->will || SHOAL_MUTATED("will-is-forgotten")) return;
  const StoredWill will = std::move(*s.extra->will);
  s.extra->will.reset();  // [MQTT5-3.1.2-10] [MQTT311-3.1.2-10]
  s.extra->will_at = Instant::never();
  Publication p;
  p.message = will.message;
  p.view = will.message->view();
  if (s.access && !s.access->may_publish(p.view.topic)) return drop(DropReason::kNotAllowed);
  if (will.message_expiry_s) {
    p.view.expires_at = now_.mono + Duration::seconds(*will.message_expiry_s);
    p.message = Message::create(p.view);
    p.view = p.message->view();
  }
  ++counters_.wills_published;
  p.since = now_.mono;
  if (p.view.qos != Qos::k0 && !has_lease()) {
    waiting_wills_.push_back(std::move(p));
    return;
  }
  route(p);
}

}  // namespace shoal
