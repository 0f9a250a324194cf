// Publishers and subscribers: what they say, and what is made of what comes.
#include <algorithm>
#include <cstring>
#include <utility>

#include "node/client/bench/load.h"

namespace shoal::bench {
namespace {

constexpr Duration kSubscribePatience = Duration::seconds(60);
// Without any delivery for so long, what is on its way counts as lost and the windows open again.
constexpr Duration kLostAfter = Duration::seconds(5);
constexpr Duration kDrain = Duration::seconds(2);
constexpr Duration kSilence = Duration::seconds(60);

// What begins a payload. Native byte order: sender and receiver are this process.
struct Head {
  uint32_t publisher = 0;
  uint32_t number = 0;
  int64_t due_ns = 0;
};
static_assert(sizeof(Head) == kPayloadMin);

}  // namespace

// RUN/PUBLISHER, or with several topics RUN/PUBLISHER/x/NUMBER.
std::string Load::topic_of(uint32_t publisher, uint32_t number) const {
  const std::string base = run_name_ + "/" + std::to_string(publisher);
  return options_.topics == 1 && options_.filters == 0 ? base
                                                       : base + "/x/" + std::to_string(number);
}

std::vector<std::string> Load::filters_of(uint32_t subscriber) const {
  if (options_.filters == 0) {
    switch (options_.pattern) {
      case Pattern::kPairs: return {topic_of(subscriber, 0)};
      case Pattern::kFanOut:
        if (options_.topics == 1) return {topic_of(0, 0)};
        break;
      case Pattern::kShared: return {"$share/" + run_name_ + "/" + run_name_ + "/#"};
      default: break;
    }
    return {run_name_ + "/#"};
  }
  std::vector<std::string> filters;
  const std::string base = run_name_ + "/" + std::to_string(subscriber) + "/+/";
  for (uint32_t i = 0; i < options_.filters; ++i) filters.push_back(base + std::to_string(i));
  return filters;
}

uint64_t Load::deliveries_of_one() const {
  return options_.pattern == Pattern::kFanOut ? options_.subscribers : 1;
}

void Load::set_up_messages() {
  for (uint32_t i = 0; i < options_.publishers; ++i) {
    auto client =
        std::make_unique<BenchClient>(*this, i, run_name_ + "-p" + std::to_string(i), options_);
    for (uint32_t topic = 0; topic < options_.topics; ++topic) {
      client->add_topic(topic_of(i, topic));
    }
    publishers_.push_back({std::move(client), 0, 0, false});
  }
  for (uint32_t i = 0; i < options_.subscribers; ++i) {
    subscribers_.push_back(
        std::make_unique<BenchClient>(*this, i, run_name_ + "-s" + std::to_string(i), options_));
  }
  const size_t receivers = options_.pattern == Pattern::kShared ? 1 : options_.subscribers;
  const size_t of_each = options_.pattern == Pattern::kPairs ? 1 : options_.publishers;
  seen_.assign(receivers, std::vector<Sequence>(of_each));
}

void Load::subscribe_all(const std::vector<BenchClient*>& clients) {
  for (BenchClient* const client : clients) {
    for (const std::string& filter : filters_of(client->index())) {
      client->subscribe(filter);
      ++waiting_;
    }
    client->flush();
  }
  const Instant asked = clock_now();
  while (waiting_ > 0 && result_.problem.empty()) {
    step(Duration::millis(50));
    if (clock_now() - asked > kSubscribePatience) result_.problem = "a SUBACK did not come";
  }
}

void Load::run_messages() {
  set_up_messages();
  if (!connect_subscribers() || !connect_publishers()) return;
  publish_all();
  const Instant drained = clock_now() + kDrain;
  while (result_.problem.empty() && clock_now() < drained) step(Duration::millis(20));
  if (options_.offline && result_.problem.empty()) drain();
  judge();
  stopping_ = true;
}

std::vector<BenchClient*> Load::subscribers() const {
  std::vector<BenchClient*> clients;
  for (const auto& subscriber : subscribers_) clients.push_back(subscriber.get());
  return clients;
}

bool Load::connect_subscribers() {
  if (!connect_all(subscribers())) return false;
  subscribe_all(subscribers());
  if (!options_.offline) return result_.problem.empty();
  for (BenchClient* const client : subscribers()) client->disconnect();
  result_.connected = 0;
  return result_.problem.empty();
}

bool Load::connect_publishers() {
  std::vector<BenchClient*> clients;
  for (const Publisher& publisher : publishers_) clients.push_back(publisher.client.get());
  return connect_all(clients);
}

void Load::publish_all() {
  const Instant start = clock_now();
  next_due_ = last_delivery_ = last_sign_ = start;
  for (uint32_t i = 0; i < publishers_.size(); ++i) {
    publishers_[i].queued = true;
    to_send_.push_back(i);
  }
  const Instant measure_from = start + options_.warm_up;
  const Instant end = measure_from + options_.duration;
  const auto is_over = [&] {
    return options_.messages == 0 ? clock_now() >= end : has_published_all();
  };
  while (result_.problem.empty() && !is_over()) {
    if (!measuring_ && clock_now() >= measure_from) start_measuring();
    if (options_.rate > 0) {
      publish_due();
    } else {
      publish_in_windows();
    }
    step(options_.rate > 0 ? std::max(Duration{}, next_due_ - clock_now()) : Duration::millis(50));
    if (clock_now() - last_sign_ > kSilence) result_.problem = "the broker says nothing any more";
  }
  stop_measuring();
}

// And all of it was acknowledged, and came to those who are there.
bool Load::has_published_all() const {
  return std::all_of(publishers_.begin(), publishers_.end(), [this](const Publisher& each) {
    return (options_.messages == 0 || each.sent == options_.messages) &&
           each.client->unacknowledged() == 0 && each.undelivered == 0;
  });
}

bool Load::may_publish(const Publisher& publisher) const {
  if (options_.messages != 0 && publisher.sent == options_.messages) return false;
  return publisher.client->is_connected() && publisher.client->unacknowledged() < options_.window &&
         publisher.undelivered < uint64_t{options_.window} * deliveries_of_one();
}

void Load::publish(Publisher& publisher, Instant due) {
  const Head head{publisher.client->index(), static_cast<uint32_t>(++publisher.sent), due.ns};
  uint8_t bytes[kPayloadMin];
  std::memcpy(bytes, &head, sizeof head);
  publisher.client->publish(bytes, due);
  if (!options_.offline) publisher.undelivered += deliveries_of_one();
  if (measuring_) ++result_.sent;
}

void Load::publish_in_windows() {
  const Instant now = clock_now();
  while (!to_send_.empty()) {
    Publisher& publisher = publishers_[to_send_.front()];
    to_send_.pop_front();
    publisher.queued = false;
    while (may_publish(publisher)) publish(publisher, now);
    publisher.client->flush();
  }
  give_up_lost();
}

// Open loop: a message that is due is sent at once, or waits for its publisher's window; either way
// its latency counts from when it was due, so that a stalled broker is not flattered.
void Load::publish_due() {
  const Duration every{static_cast<int64_t>(1e9 / options_.rate)};
  const Instant now = clock_now();
  while (next_due_ <= now) {
    Publisher* chosen = nullptr;
    for (size_t tried = 0; tried < publishers_.size() && chosen == nullptr; ++tried) {
      Publisher& next = publishers_[next_publisher_++ % publishers_.size()];
      if (may_publish(next)) chosen = &next;
    }
    if (chosen == nullptr) break;
    publish(*chosen, next_due_);
    chosen->client->flush();
    next_due_ = next_due_ + every;
  }
  give_up_lost();
}

void Load::give_up_lost() {
  if (clock_now() - last_delivery_ < kLostAfter) return;
  last_delivery_ = clock_now();
  for (uint32_t i = 0; i < publishers_.size(); ++i) {
    publishers_[i].undelivered = 0;
    if (!std::exchange(publishers_[i].queued, true)) to_send_.push_back(i);
  }
}

void Load::on_published(BenchClient& client, Instant due) {
  last_sign_ = clock_now();
  if (measuring_) {
    ++result_.acknowledged;
    result_.ack_latency.add(last_sign_ - due);
  }
  Publisher& publisher = publishers_[client.index()];
  if (!std::exchange(publisher.queued, true)) to_send_.push_back(client.index());
}

void Load::on_message(BenchClient& client, const Publish& message) {
  if (message.payload.size() != options_.payload_bytes) {
    result_.problem = "a payload came with another size than it was sent with";
    return;
  }
  Head head;
  std::memcpy(&head, message.payload.data(), sizeof head);
  if (head.publisher >= publishers_.size()) {
    result_.problem = "a payload came that was not sent";
    return;
  }
  const Instant now = clock_now();
  last_delivery_ = last_sign_ = now;
  const size_t receiver = options_.pattern == Pattern::kShared ? 0 : client.index();
  const size_t sender = options_.pattern == Pattern::kPairs ? 0 : head.publisher;
  switch (seen_[receiver][sender].add(head.number)) {
    case Sequence::Seen::kAgain: ++result_.verdict.duplicated; return;
    case Sequence::Seen::kLate:
      // Sharers are fed side by side: there is no order between them.
      if (options_.pattern != Pattern::kShared) ++result_.verdict.out_of_order;
      break;
    default: break;
  }
  ++arrived_;
  if (measuring_) {
    ++result_.delivered;
    result_.latency.add(now - Instant{head.due_ns});
  }
  Publisher& publisher = publishers_[head.publisher];
  if (publisher.undelivered > 0) --publisher.undelivered;
  if (!std::exchange(publisher.queued, true)) to_send_.push_back(head.publisher);
}

void Load::judge() {
  for (size_t receiver = 0; receiver < seen_.size(); ++receiver) {
    for (size_t sender = 0; sender < seen_[receiver].size(); ++sender) {
      const size_t publisher = options_.pattern == Pattern::kPairs ? receiver : sender;
      result_.verdict.lost += seen_[receiver][sender].lost(publishers_[publisher].sent);
    }
  }
}

}  // namespace shoal::bench
