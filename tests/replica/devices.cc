#include "tests/replica/devices.h"

#include <algorithm>
#include <utility>

namespace shoal::replica::test {
namespace {

constexpr const char* kTopic = "t";

Duration millis(uint64_t n) { return Duration::millis(static_cast<int64_t>(n)); }

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// "SOURCE:NUMBER"
std::string source_of(const std::string& payload) { return payload.substr(0, payload.find(':')); }
uint64_t number_of(const std::string& payload) {
  return std::stoull(payload.substr(payload.find(':') + 1));
}

}  // namespace

Devices::Devices(StoreCluster& cluster, int subscribers, int publishers)
    : cluster_(cluster), live_(cluster.nodes()) {
  for (int i = 0; i < subscribers; ++i) {
    Subscriber& each = subscribers_.emplace_back();
    each.id = "sub" + std::to_string(i);
    each.qos = i % 2 == 0 ? Qos::k1 : Qos::k2;
  }
  for (int i = 0; i < publishers; ++i) publishers_.emplace_back().id = "pub" + std::to_string(i);
  cluster_.on_mail = [this](int node, WorkerIndex, FromStore&& mail) {
    on_mail(node, std::move(mail));
  };
  cluster_.on_crash = [this](int node) { on_crash(node); };
}

MessageRef Devices::message_of(const std::string& payload, Qos qos) {
  MessageView view;
  view.qos = qos;
  view.topic = kTopic;
  view.payload = bytes_of(payload);
  return Message::create(view);
}

int Devices::any_node() {
  const int node = static_cast<int>(cluster_.world().random().below(live_.size()));
  return cluster_.is_up(node) ? node : -1;
}

void Devices::run() {
  cluster_.world().after(millis(5), [this] {
    step();
    run();
  });
}

void Devices::quiet() {
  is_quiet_ = true;
  // In the end all are there.
}

void Devices::step() {
  Random& random = cluster_.world().random();
  for (Subscriber& each : subscribers_) {
    if (each.node < 0 && (is_quiet_ || random.one_in(20))) connect(each);
    if (!is_quiet_ && each.node >= 0 && random.one_in(200)) close(each);
    if (!each.is_attached && each.node >= 0 && random.one_in(300)) close(each);  // tries elsewhere
  }
  for (Publisher& each : publishers_) {
    if (each.node < 0 && (is_quiet_ || random.one_in(20))) connect(each);
    if (!is_quiet_ && each.node >= 0 && random.one_in(100)) close(each);
    if (!each.is_attached && each.node >= 0 && random.one_in(300)) close(each);
    if (each.is_attached) go_on(each);
  }
  if (!is_quiet_ && random.one_in(3)) publish_live(any_node());
}

// ---- connections --------------------------------------------------------------------------------

SessionConnect Devices::connect_of(const std::string& id, ConnId conn) {
  SessionConnect connect;
  connect.conn = conn;
  connect.client_id = id;
  connect.claim = {++claims_, NodeId{1}};
  connect.receive_maximum = 3;
  connect.expiry_s = 100'000;
  return connect;
}

void Devices::connect(Subscriber& subscriber) {
  const int node = any_node();
  if (node < 0) return;
  subscriber.node = node;
  subscriber.conn = next_conn();
  subscriber.last_number = 0;
  cluster_.ask(node, 0, connect_of(subscriber.id, subscriber.conn));
}

void Devices::connect(Publisher& publisher) {
  const int node = any_node();
  if (node < 0) return;
  publisher.node = node;
  publisher.conn = next_conn();
  cluster_.ask(node, 0, connect_of(publisher.id, publisher.conn));
}

void Devices::close(Subscriber& subscriber) {
  const int node = std::exchange(subscriber.node, -1);
  subscriber.subscribe_number = 0;
  subscriber.pubrecs.clear();
  if (!cluster_.is_up(node)) {
    subscriber.is_attached = false;
  } else if (std::exchange(subscriber.is_attached, false)) {
    // At times the node does not notice before the client is elsewhere.
    if (cluster_.world().random().one_in(3)) return;
    cluster_.ask(node, 0,
                 SessionDetach{next_number(node), subscriber.id, subscriber.epoch, false, {}});
  } else {
    cluster_.ask(node, 0, SessionWithdraw{subscriber.conn, subscriber.id});
  }
}

void Devices::close(Publisher& publisher) {
  const int node = std::exchange(publisher.node, -1);
  publisher.waits = 0;
  if (!cluster_.is_up(node)) {
    publisher.is_attached = false;
  } else if (std::exchange(publisher.is_attached, false)) {
    cluster_.ask(node, 0,
                 SessionDetach{next_number(node), publisher.id, publisher.epoch, false, {}});
  } else {
    cluster_.ask(node, 0, SessionWithdraw{publisher.conn, publisher.id});
  }
}

void Devices::on_crash(int node) {
  for (Subscriber& each : subscribers_) {
    if (each.node == node) close(each);
  }
  for (Publisher& each : publishers_) {
    if (each.node == node) close(each);
  }
  live_[node] = {};
}

// ---- publishing ---------------------------------------------------------------------------------

// Of clients whose sessions are not durable: once each, never again.
void Devices::publish_live(int node) {
  if (node < 0) return;
  const std::string payload = "live" + std::to_string(node) + "." +
                              std::to_string(cluster_.incarnation(node)) + ":" +
                              std::to_string(++messages_);
  numbers_[payload] = messages_;
  const uint64_t number = next_number(node);
  live_[node].publishing[number] = payload;
  cluster_.ask(node, 0, ShardPublish{number, 0b11, {}, message_of(payload, Qos::k2)});
}

// QoS 2 of a durable session: PUBLISH again on each connection until PUBREC, PUBREL until PUBCOMP.
void Devices::go_on(Publisher& publisher) {
  if (publisher.waits != 0) return;
  const int node = publisher.node;
  if (publisher.packet_id == 0) {
    if (is_quiet_) return;
    publisher.packet_id = static_cast<uint16_t>(1 + publisher.published % 3);
    publisher.payload = publisher.id + ":" + std::to_string(++messages_);
    publisher.is_released = false;
    numbers_[publisher.payload] = messages_;
    ++publisher.published;
  }
  publisher.waits = next_number(node);
  if (publisher.is_released) {
    return cluster_.ask(
        node, 0,
        SessionRelease{publisher.waits, publisher.id, publisher.epoch, publisher.packet_id});
  }
  cluster_.ask(node, 0,
               SessionReceive{publisher.waits, publisher.id, publisher.epoch, publisher.packet_id,
                              message_of(publisher.payload, Qos::k2)});
}

// ---- mail ---------------------------------------------------------------------------------------

void Devices::on_mail(int node, FromStore&& mail) {
  std::visit([this, node](auto& each) { on(node, each); }, mail);
}

void Devices::on(int node, SessionAttached& mail) {
  for (Publisher& each : publishers_) {
    if (each.node != node || each.conn != mail.conn) continue;
    if (mail.outcome != SessionAttached::Outcome::kAttached) return close(each);
    each.is_attached = true;
    each.epoch = mail.epoch;
  }
  for (Subscriber& each : subscribers_) {
    if (each.node != node || each.conn != mail.conn) continue;
    if (mail.outcome != SessionAttached::Outcome::kAttached) return close(each);
    each.is_attached = true;
    each.epoch = mail.epoch;
    if (each.wants && !mail.session_present) {
      cluster_.violations.push_back(each.id + ": its session is lost");
    }
    if (each.wants) continue;
    each.subscribe_number = next_number(node);
    SessionSubscribe subscribe{each.subscribe_number, each.id, each.epoch, {}};
    subscribe.filters.push_back({.filter = kTopic, .qos = each.qos});
    cluster_.ask(node, 0, std::move(subscribe));
  }
}

void Devices::on(int node, SessionEvict& mail) {
  for (Subscriber& each : subscribers_) {
    const bool is_it = each.node == node && each.id == mail.client_id && each.epoch == mail.epoch;
    if (!is_it || !each.is_attached) continue;
    each.node = -1;
    each.is_attached = false;
    each.pubrecs.clear();
    each.subscribe_number = 0;
  }
  for (Publisher& each : publishers_) {
    const bool is_it = each.node == node && each.id == mail.client_id && each.epoch == mail.epoch;
    if (!is_it || !each.is_attached) continue;
    each.node = -1;
    each.is_attached = false;
    each.waits = 0;
  }
}

void Devices::on(int node, SessionDone& mail) {
  const bool is_committed = mail.outcome == SessionDone::Outcome::kCommitted;
  const auto live = live_[node].publishing.find(mail.number);
  if (live != live_[node].publishing.end()) {
    promise(live->second);
    live_[node].publishing.erase(live);
  }
  for (Publisher& each : publishers_) {
    if (each.node != node || each.waits != mail.number) continue;
    each.waits = 0;
    if (!is_committed) return close(each);
    if (each.is_released) {
      each.packet_id = 0;
    } else {
      promise(each.payload);
      each.is_released = true;
    }
  }
  for (Subscriber& each : subscribers_) {
    if (each.node != node) continue;
    if (each.subscribe_number == mail.number && is_committed) {
      each.wants = true;
      each.first = messages_ + 1;
      each.subscribe_number = 0;
    }
    const auto pubrec = each.pubrecs.find(mail.number);
    if (pubrec == each.pubrecs.end()) continue;
    const uint64_t message = pubrec->second;
    each.pubrecs.erase(pubrec);
    if (is_committed) ack_was_done(each, message);
  }
}

void Devices::on(int node, SessionMessages& mail) {
  for (Subscriber& each : subscribers_) {
    const bool is_it = each.node == node && each.id == mail.client_id && each.epoch == mail.epoch;
    if (!is_it || !each.is_attached) continue;
    for (SessionMessage& message : mail.messages) {
      if (message.number <= each.last_number) {
        cluster_.violations.push_back(each.id + ": twice on one connection");
      }
      each.last_number = message.number;
      receive(each, message);
    }
    cluster_.ask(node, 0, SessionRoom{each.id, each.epoch, each.last_number});
  }
}

// ---- receiving ----------------------------------------------------------------------------------

void Devices::receive(Subscriber& to, SessionMessage& message) {
  const auto id = static_cast<uint16_t>(message.number % 65'535 + 1);
  if (message.released) {
    to.open.erase(id);
    return acknowledge(to, message.number, SessionAckKind::kPubcomp);
  }
  const auto payload = message.message->payload();
  const std::string text(payload.begin(), payload.end());
  if (to.seen.contains(text) && !message.dup) {
    cluster_.violations.push_back(to.id + ": " + text + " again without DUP");
  }
  if (message.qos == Qos::k1) {
    got(to, text);
    return acknowledge(to, message.number, SessionAckKind::kPuback);
  }
  if (to.open.insert(id).second) {
    if (to.seen.contains(text)) cluster_.violations.push_back(to.id + ": " + text + " twice");
    got(to, text);
  }
  acknowledge(to, message.number, SessionAckKind::kPubrec);
}

void Devices::got(Subscriber& to, const std::string& payload) {
  ++received_;
  if (to.seen.insert(payload).second) to.received.push_back(payload);
}

// In its own time; in order, since each goes with the same delay.
void Devices::acknowledge(Subscriber& of, uint64_t message, SessionAckKind kind) {
  const auto at = static_cast<size_t>(&of - subscribers_.data());
  cluster_.world().after(millis(3), [this, at, message, kind, epoch = of.epoch, conn = of.conn] {
    Subscriber& each = subscribers_[at];
    if (!each.is_attached || each.epoch != epoch || each.conn != conn) return;
    const uint64_t number = next_number(each.node);
    if (kind == SessionAckKind::kPubrec) each.pubrecs[number] = message;
    SessionAck ack{number, each.id, each.epoch, {}};
    ack.acks.push_back({message, kind});
    cluster_.ask(each.node, 0, std::move(ack));
  });
}

void Devices::ack_was_done(Subscriber& of, uint64_t message) {
  of.open.erase(static_cast<uint16_t>(message % 65'535 + 1));  // PUBREL
  acknowledge(of, message, SessionAckKind::kPubcomp);
}

// ---- what was promised --------------------------------------------------------------------------

// In the end it is connected, and the shard has nothing more for it.
void Devices::check_connection(const Subscriber& of) {
  if (!of.is_attached) return cluster_.violations.push_back(of.id + " is not connected in the end");
  for (uint32_t shard = 0; shard < 2; ++shard) {
    const auto session = cluster_.server(of.node, shard).state().session(of.id);
    if (!session || session->queue.queued == 0) continue;
    cluster_.violations.push_back(
        of.id + " has " + std::to_string(session->queue.queued) + " messages waiting from " +
        std::to_string(session->queue.head) + " to " + std::to_string(session->queue.window_end) +
        ", got " + std::to_string(of.last_number) + " last, epoch " + std::to_string(of.epoch) +
        " of " + std::to_string(session->epoch));
  }
}

void Devices::check() {
  for (const Subscriber& each : subscribers_) {
    if (!each.wants) {
      cluster_.violations.push_back(each.id + " never got its SUBACK");
      continue;
    }
    for (const std::string& payload : acknowledged_) {
      if (numbers_.at(payload) < each.first || each.seen.contains(payload)) continue;
      cluster_.violations.push_back(each.id + " misses " + payload);
    }
    check_connection(each);
    std::map<std::string, uint64_t> last;
    for (const std::string& payload : each.received) {
      uint64_t& before = last[source_of(payload)];
      if (number_of(payload) < before) {
        cluster_.violations.push_back(each.id + ": " + payload + " behind a later one");
      }
      before = number_of(payload);
    }
  }
  for (const Publisher& each : publishers_) {
    if (each.packet_id != 0) cluster_.violations.push_back(each.id + " is not done");
  }
}

}  // namespace shoal::replica::test
