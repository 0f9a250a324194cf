#include "tests/replica/device.h"

#include <algorithm>
#include <utility>

#include "cluster/shard/slots.h"

namespace shoal::replica::test {

namespace {

constexpr char kFill = '.';

// By the number of the message: most are short, some of some pieces.
std::string payload_of(const std::string& text) {
  const uint64_t number = std::stoull(text.substr(text.find(':') + 1));
  std::string payload = text;
  if (number % 6 == 0) payload.resize(payload.size() + number % 500, kFill);
  return payload;
}

// Empty: it is not what was sent.
std::string text_of(std::string payload) {
  std::string text = payload.substr(0, payload.find(kFill, payload.find(':')));
  return payload_of(text) == payload ? text : std::string();
}

}  // namespace

MessageRef message_of(const std::string& text, Qos qos) {
  const std::string payload = payload_of(text);
  MessageView view;
  view.qos = qos;
  view.topic = kTopic;
  view.publisher = std::hash<std::string>()(text.substr(0, text.find(':')));
  view.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
  return Message::create(view);
}

// ---- workers ------------------------------------------------------------------------------------

void Workers::on_done(int node, WorkerIndex worker, const SessionDone& done) {
  auto& waiting = waiting_[{node, worker}];
  const auto it = waiting.find(done.number);
  if (it == waiting.end()) {
    return cluster_.violations.push_back("an answer that nobody waits for, or the second one");
  }
  const Then then = std::move(it->second);
  waiting.erase(it);
  then(done.outcome == SessionDone::Outcome::kCommitted);
}

void Workers::on_crash(int node) {
  std::erase_if(asked_, [node](const auto& each) { return each.first.first == node; });
  std::erase_if(waiting_, [node](const auto& each) { return each.first.first == node; });
}

// ---- connections --------------------------------------------------------------------------------

Device::Device(Workers& workers, Promises& promises, std::string id, bool is_patient)
    : workers_(workers), promises_(promises), id_(std::move(id)), is_patient_(is_patient) {}

void Device::after(Duration delay, std::function<void()> what) {
  cluster().world().after(delay, [this, conn = conn_, what = std::move(what)] {
    if (is_attached_ && conn_ == conn) what();
  });
}

void Device::connect() {
  const int node = static_cast<int>(random().below(static_cast<uint64_t>(cluster().nodes())));
  if (!cluster().is_up(node)) return;
  node_ = node;
  worker_ =
      static_cast<WorkerIndex>(random().below(static_cast<uint64_t>(cluster().options().workers)));
  conn_ = workers_.next_conn();
  SessionConnect connect;
  connect.conn = conn_;
  connect.client_id = id_;
  connect.claim = workers_.next_claim();
  connect.receive_maximum = 3;
  connect.expiry_s = 100'000;
  tell(std::move(connect));
}

void Device::close() {
  if (!is_attached_) {
    tell(SessionWithdraw{conn_, id_});
  } else if (!random().one_in(3)) {  // at times the node does not notice
    SessionDetach detach;
    detach.client_id = id_;
    detach.epoch = epoch_;
    workers_.ask(node_, worker_, std::move(detach), [](bool) {});
  }
  drop();
}

void Device::drop() {
  node_ = -1;
  if (std::exchange(is_attached_, false)) on_detached();
}

void Device::on_crash(int node) {
  if (node_ == node) drop();
}

void Device::on(int node, WorkerIndex worker, const SessionAttached& mail) {
  if (node_ != node || worker_ != worker || conn_ != mail.conn) return;
  if (mail.outcome != SessionAttached::Outcome::kAttached) return drop();
  is_attached_ = true;
  epoch_ = mail.epoch;
  if (std::exchange(has_session_, true) && !mail.session_present) violate(": its session is lost");
  on_attached();
}

void Device::on(int node, const SessionEvict& mail) {
  if (node_ == node && is_attached_ && id_ == mail.client_id && epoch_ == mail.epoch) drop();
}

void Device::on(int node, SessionMessages& mail) {
  if (node_ == node && is_attached_ && id_ == mail.client_id && epoch_ == mail.epoch) {
    on_messages(mail);
  }
}

// ---- subscribers --------------------------------------------------------------------------------

Subscriber::Subscriber(Workers& workers, Promises& promises, const Plan& plan)
    : Device(workers, promises, plan.id, plan.is_patient), pace_(plan.pace) {
  reader_.id = plan.id;
  reader_.qos = plan.qos;
  reader_.shares = plan.shares;
}

void Subscriber::on_attached() {
  last_number_ = 0;
  if (reader_.wants()) return;
  SessionSubscribe subscribe;
  subscribe.filters.push_back({.filter = reader_.shares ? kGroup : kTopic, .qos = reader_.qos});
  ask(std::move(subscribe), [this](bool is_committed) {
    if (is_committed) reader_.first = promises_.published() + 1;
  });
}

void Subscriber::on_messages(SessionMessages& mail) {
  for (const SessionMessage& each : mail.messages) {
    if (each.number <= last_number_) violate(": twice on one connection");
    last_number_ = each.number;
    receive(each);
  }
  after(pace_, [this, last = last_number_] { tell(SessionRoom{id_, epoch_, last}); });
}

void Subscriber::receive(const SessionMessage& message) {
  const auto id = static_cast<uint16_t>(message.number % 65'535 + 1);
  if (message.released) {
    open_.erase(id);
    return acknowledge(message.number, SessionAckKind::kPubcomp);
  }
  const auto payload = message.message->payload();
  const std::string text = text_of({payload.begin(), payload.end()});
  if (text.empty()) return violate(": a payload that nobody sent");
  if (!message.dup) reader_.fresh.insert(text);
  const bool was_seen = reader_.seen.contains(text);
  if (was_seen && !message.dup) violate(": " + text + " again without DUP");
  if (message.qos == Qos::k1) {
    got(text);
    return acknowledge(message.number, SessionAckKind::kPuback);
  }
  if (open_.insert(id).second) {
    if (was_seen) violate(": " + text + " twice");
    got(text);
  }
  acknowledge(message.number, SessionAckKind::kPubrec);
}

void Subscriber::got(const std::string& payload) {
  if (reader_.seen.insert(payload).second) reader_.received.push_back(payload);
}

void Subscriber::acknowledge(uint64_t message, SessionAckKind kind) {
  after(pace_, [this, message, kind] {
    SessionAck ack;
    ack.acks.push_back({message, kind});
    ask(std::move(ack), [this, message, kind](bool is_committed) {
      if (!is_committed || kind != SessionAckKind::kPubrec) return;
      open_.erase(static_cast<uint16_t>(message % 65'535 + 1));  // PUBREL
      acknowledge(message, SessionAckKind::kPubcomp);
    });
  });
}

// In the end it is connected, and the shard has nothing more for it.
void Subscriber::check(std::vector<std::string>& violations) const {
  if (!is_attached()) return violations.push_back(id_ + " is not connected in the end");
  for (uint32_t shard = 0; shard < cluster().options().shards; ++shard) {
    const auto session = cluster().server(node_, shard).state().session(id_);
    if (!session || session->queue.queued == 0) continue;
    violations.push_back(id_ + " has " + std::to_string(session->queue.queued) +
                         " messages waiting from " + std::to_string(session->queue.head) + " to " +
                         std::to_string(session->queue.window_end) + ", got " +
                         std::to_string(last_number_) + " last, epoch " + std::to_string(epoch_) +
                         " of " + std::to_string(session->epoch));
  }
}

// ---- publishers ---------------------------------------------------------------------------------

void Publisher::on_attached() {
  for (Open& each : open_) each.is_asked = false;
}

void Publisher::go_on(bool is_quiet) {
  if (!is_quiet && open_.size() < kWindow && random().one_in(10)) {
    open_.push_back({unused_id(), promises_.publish(id_), false, false});
  }
  for (Open& each : open_) {
    if (!each.is_asked) say(each);
  }
}

void Publisher::say(Open& open) {
  open.is_asked = true;
  const uint16_t id = open.packet_id;
  if (open.is_released) {
    return ask(SessionRelease{.packet_id = id}, [this, id](bool is_committed) {
      if (!is_committed) return close();
      std::erase_if(open_, [id](const Open& each) { return each.packet_id == id; });
    });
  }
  ask(SessionReceive{.packet_id = id, .message = message_of(open.payload, Qos::k2)},
      [this, id](bool is_committed) {
        if (!is_committed) return close();
        Open& open = *find(id);
        promises_.promise(open.payload);
        promises_.promise_group(open.payload);
        open.is_released = true;
        open.is_asked = false;
      });
}

Publisher::Open* Publisher::find(uint16_t packet_id) {
  const auto it = std::find_if(open_.begin(), open_.end(), [packet_id](const Open& each) {
    return each.packet_id == packet_id;
  });
  return it == open_.end() ? nullptr : &*it;
}

// A few, which come round soon.
uint16_t Publisher::unused_id() {
  do {
    last_id_ = static_cast<uint16_t>(last_id_ % (2 * kWindow) + 1);
  } while (find(last_id_) != nullptr);
  return last_id_;
}

void Publisher::check(std::vector<std::string>& violations) const {
  if (!is_attached()) violations.push_back(id_ + " is not connected in the end");
  if (!open_.empty()) violations.push_back(id_ + " is not done");
}

}  // namespace shoal::replica::test
