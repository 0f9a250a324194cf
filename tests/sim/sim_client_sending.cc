// What a simulated device sends by itself: messages, acknowledgements, subscriptions.
#include <algorithm>

#include "tests/sim/sim_client.h"

namespace shoal::sim {

void SimClient::send_ack(PacketType type, uint16_t id) {
  if (state_ != State::kConnected) return;
  Ack packet;
  packet.type = type;
  packet.packet_id = id;
  send(packet);
}

void SimClient::send_publish(uint16_t id, const MessageKey& key, bool dup) {
  Published& record = history_.published(key);
  record.chain = chain_;
  const std::string payload = payload_of(key);
  Publish packet;
  packet.dup = dup;
  packet.qos = record.qos;
  packet.retain = record.retain;
  packet.packet_id = id;
  packet.topic = record.topic;
  packet.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
  world_.note(plan_.client_id + " sends " + text_of(key) + at_qos(record.qos) +
              (dup ? ", again" : "") + " on " + record.topic + " as " + std::to_string(id));
  send(packet);
}

uint16_t SimClient::unused_id() {
  do {
    next_id_ = next_id_ == UINT16_MAX ? 1 : static_cast<uint16_t>(next_id_ + 1);
  } while (outgoing_.contains(next_id_) || subscribe_open_.contains(next_id_) ||
           unsubscribe_open_.contains(next_id_));
  return next_id_;
}

// The session is there: what is unacknowledged goes again under its old identifier
// [MQTT5-4.4.0-1].
void SimClient::resume_outgoing() {
  for (const uint16_t id : outgoing_order_) {
    Outgoing& message = outgoing_.at(id);
    message.sent = world_.now();
    if (message.released) {
      send_ack(PacketType::kPubRel, id);
    } else {
      send_publish(id, message.key, true);
    }
  }
  send_waiting();
}

// A new session: at QoS 1 the same message is published again. At QoS 2 that could double it, so
// the client gives it up: it was not acknowledged, or is safe already.
void SimClient::restart_outgoing() {
  std::deque<MessageKey> again;
  for (const uint16_t id : outgoing_order_) {
    const Outgoing& message = outgoing_.at(id);
    if (history_.published(message.key).qos == Qos::k1) again.push_back(message.key);
  }
  outgoing_.clear();
  outgoing_order_.clear();
  waiting_.insert(waiting_.begin(), again.begin(), again.end());
  send_waiting();
}

void SimClient::send_waiting() {
  while (state_ == State::kConnected && !waiting_.empty() && outgoing_.size() < plan_.window) {
    const MessageKey key = waiting_.front();
    waiting_.pop_front();
    const uint16_t id = unused_id();
    outgoing_[id] = {key, false, world_.now()};
    outgoing_order_.push_back(id);
    Published& record = history_.published(key);
    if (record.first_sent == Instant::never()) record.first_sent = world_.now();
    send_publish(id, key, false);
  }
}

bool SimClient::publish_now(const std::string& topic, Qos qos, bool retain) {
  if (state_ != State::kConnected) return false;
  const MessageKey key{number_, next_number_++};
  history_.add({key, topic, qos, retain, Instant::never(), {}, plan_.client_id, chain_});
  if (qos == Qos::k0) {
    history_.published(key).first_sent = world_.now();
    send_publish(0, key, false);
  } else {
    waiting_.push_back(key);
    send_waiting();
  }
  return true;
}

void SimClient::publish_something() {
  Random& random = world_.random();
  if (plan_.retains && random.one_in(3)) {
    const bool is_own = random.one_in(2);
    const std::string shared = "r/all/" + std::to_string(random.below(16));
    publish_now(is_own ? retained_topic_of(number_) : shared, static_cast<Qos>(1 + random.below(2)),
                true);
    return;
  }
  const std::string& topic = plan_.topics[random.below(plan_.topics.size())];
  publish_now(topic, plan_.qos.value_or(static_cast<Qos>(random.below(3))));
}

void SimClient::schedule_publish() {
  world_.after(world_.between(plan_.publish_every / 4, plan_.publish_every * 2), [this] {
    if (!publishing_ || finished_) return;
    if (state_ == State::kConnected && waiting_.size() < plan_.window) {
      publish_something();
    }
    schedule_publish();
  });
}

void SimClient::subscribe(size_t first) {
  Chain& chain = history_.chain(chain_);
  std::vector<uint8_t> list;
  std::vector<size_t> asked;
  const bool has_options = plan_.version == ProtocolVersion::kMqtt5;
  for (size_t i = first; i < plan_.subscriptions.size(); ++i) {
    const SubscriptionPlan& plan = plan_.subscriptions[i];
    const bool no_local = has_options && plan.no_local;
    append_subscription({.filter = plan.filter, .qos = plan.qos, .no_local = no_local}, list);
    asked.push_back(chain.subscriptions.size());
    chain.subscriptions.push_back({.filter = plan.filter,
                                   .no_local = no_local,
                                   .suback = {},
                                   .asked = world_.now(),
                                   .ended = {}});
  }
  Subscribe packet;
  packet.packet_id = unused_id();
  packet.subscriptions = SubscriptionList::of_valid(list);
  subscribe_open_[packet.packet_id] = asked;
  send(packet);
}

void SimClient::subscribe_now(const std::string& filter, std::function<void()> then) {
  if (state_ != State::kConnected || !subscribed()) return;
  Chain& chain = history_.chain(chain_);
  std::vector<uint8_t> list;
  append_subscription({.filter = filter, .qos = Qos::k1}, list);
  Subscribe packet;
  packet.packet_id = unused_id();
  packet.subscriptions = SubscriptionList::of_valid(list);
  subscribe_open_[packet.packet_id] = {chain.subscriptions.size()};
  on_subscribed_[packet.packet_id] = std::move(then);
  chain.subscriptions.push_back({.filter = filter, .asked = world_.now()});
  send(packet);
}

void SimClient::unsubscribe_last() {
  Chain& chain = history_.chain(chain_);
  const std::string& filter = plan_.subscriptions.back().filter;
  for (Subscription& s : chain.subscriptions) {
    if (s.filter == filter && !s.ended) s.ended = world_.now();
  }
  std::vector<uint8_t> list;
  append_filter(filter, list);
  Unsubscribe packet;
  packet.packet_id = unused_id();
  packet.filters = FilterList::of_valid(list);
  unsubscribe_open_.insert(packet.packet_id);
  send(packet);
}

void SimClient::schedule_churn() {
  world_.after(world_.between(Duration::seconds(1), Duration::seconds(5)), [this] {
    if (finished_ || !publishing_) return;
    if (state_ == State::kConnected && subscribed()) {
      unsubscribe_last();
      subscribe(plan_.subscriptions.size() - 1);
    }
    schedule_churn();
  });
}

}  // namespace shoal::sim
