#include "node/client/bench/load.h"

#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

namespace shoal::bench {
namespace {

constexpr size_t kBufferBytes = 512 * 1024;
constexpr Duration kSetUpPatience = Duration::seconds(60);
// Without any delivery for so long, what is on its way counts as lost and the windows open again.
constexpr Duration kLostAfter = Duration::seconds(5);
constexpr Duration kDrain = Duration::seconds(2);

Instant clock_now() {
  return {std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
}

std::string random_name() {
  std::random_device random;
  char text[16];
  std::snprintf(text, sizeof text, "%08x", random());
  return text;
}

// What begins a payload. Native byte order: sender and receiver are this process.
struct Head {
  uint32_t publisher = 0;
  uint32_t number = 0;
  int64_t due_ns = 0;
};
static_assert(sizeof(Head) == kPayloadMin);

void raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Load::Load(const BenchOptions& options)
    : options_(options),
      run_name_("bench-" + random_name()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferBytes) {
  raise_file_limit();
  if (options_.ca_file.empty()) return;
  tls_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_load_verify_locations(tls_, options_.ca_file.c_str(), nullptr);
  SSL_CTX_set_verify(tls_, SSL_VERIFY_PEER, nullptr);
}

Load::~Load() {
  subscribers_.clear();
  publishers_.clear();
  others_.clear();
  if (tls_ != nullptr) SSL_CTX_free(tls_);
  close(epoll_);
}

LoadResult Load::run() {
  last_progress_ = last_delivery_ = clock_now();
  if (options_.pattern == Pattern::kIdle) {
    run_idle();
  } else if (options_.pattern == Pattern::kConnect) {
    run_connects();
  } else {
    run_messages();
  }
  return std::move(result_);
}

// ---- connections --------------------------------------------------------------------------------

bool Load::open(BenchClient& client) {
  const bool publishes =
      client.index() < publishers_.size() && publishers_[client.index()].client.get() == &client;
  const auto& endpoints = publishes ? options_.publish_to : options_.subscribe_from;
  return client.open(endpoints[client.index() % endpoints.size()], tls_, epoll_);
}

// Opens them all, `connecting` at a time, and waits until all are connected.
bool Load::connect_all(std::vector<BenchClient*> clients) {
  const Instant start = clock_now();
  size_t opened = 0;
  waiting_ = 0;
  while (opened < clients.size() || waiting_ > 0) {
    while (opened < clients.size() && waiting_ < options_.connecting) {
      if (!open(*clients[opened])) {
        result_.problem = "cannot open connection " + std::to_string(opened + 1);
        return false;
      }
      ++opened;
      ++waiting_;
    }
    step(Duration::millis(50));
    if (!result_.problem.empty()) return false;
    if (clock_now() - start >
        kSetUpPatience * (1 + static_cast<int64_t>(clients.size()) / 10'000)) {
      result_.problem = std::to_string(waiting_) + " connections got no CONNACK";
      return false;
    }
  }
  return true;
}

void Load::on_connected(BenchClient& client) {
  ++result_.connected;
  if (waiting_ > 0) --waiting_;
  if (options_.pattern != Pattern::kConnect || !measuring_) return;
  result_.latency.add(clock_now() - dialled_[client.index()]);
  ++result_.connects;
  client.disconnect();
  --result_.connected;
  dialled_[client.index()] = clock_now();
  open(client);
}

void Load::on_subscribed(BenchClient&) {
  if (waiting_ > 0) --waiting_;
}

void Load::on_lost(BenchClient&, const std::string& why) {
  if (stopping_) return;
  ++result_.lost_connections;
  if (result_.problem.empty()) result_.problem = why;
}

// ---- idle, connect ------------------------------------------------------------------------------

void Load::run_idle() {
  for (uint32_t i = 0; i < options_.clients; ++i) {
    others_.push_back(
        std::make_unique<BenchClient>(*this, i, run_name_ + "-" + std::to_string(i), options_));
  }
  const auto before = stats_of(options_.pids);
  std::vector<BenchClient*> all;
  for (const auto& client : others_) all.push_back(client.get());
  if (!connect_all(all)) return;
  if (options_.subscribed) {
    waiting_ = all.size();
    for (BenchClient* const client : all) {
      client->subscribe(run_name_ + "/" + std::to_string(client->index()));
      client->flush();
    }
    while (waiting_ > 0 && result_.problem.empty()) step(Duration::millis(50));
  }
  start_measuring();
  const Instant end = clock_now() + options_.duration;
  while (clock_now() < end && result_.problem.empty()) step(Duration::millis(100));
  stop_measuring();
  const auto after = stats_of(options_.pids);
  if (!options_.pids.empty() && before && after) {
    const auto grown = static_cast<int64_t>(after->rss_bytes - before->rss_bytes);
    result_.bytes_per_connection = grown / static_cast<int64_t>(options_.clients);
  }
  stopping_ = true;
}

void Load::run_connects() {
  const uint32_t at_once = std::min(options_.clients, options_.connecting);
  dialled_.resize(at_once);
  measuring_ = false;
  for (uint32_t i = 0; i < at_once; ++i) {
    others_.push_back(
        std::make_unique<BenchClient>(*this, i, run_name_ + "-" + std::to_string(i), options_));
  }
  start_measuring();
  for (const auto& client : others_) {
    dialled_[client->index()] = clock_now();
    if (!open(*client)) result_.problem = "cannot open a connection";
  }
  const Instant end = clock_now() + options_.duration;
  while (clock_now() < end && result_.problem.empty()) step(Duration::millis(50));
  stop_measuring();
  stopping_ = true;
}

// ---- messages -----------------------------------------------------------------------------------

std::string Load::topic_of(uint32_t publisher) const {
  return run_name_ + "/" + std::to_string(publisher);
}

std::string Load::filter_of(uint32_t subscriber) const {
  switch (options_.pattern) {
    case Pattern::kPairs: return topic_of(subscriber);
    case Pattern::kFanOut: return topic_of(0);
    case Pattern::kShared: return "$share/" + run_name_ + "/" + run_name_ + "/+";
    default: return run_name_ + "/+";
  }
}

uint64_t Load::deliveries_of_one() const {
  return options_.pattern == Pattern::kFanOut ? options_.subscribers : 1;
}

void Load::set_up_messages() {
  for (uint32_t i = 0; i < options_.publishers; ++i) {
    auto client =
        std::make_unique<BenchClient>(*this, i, run_name_ + "-p" + std::to_string(i), options_);
    client->set_topic(topic_of(i));
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

void Load::run_messages() {
  set_up_messages();
  std::vector<BenchClient*> clients;
  for (const auto& subscriber : subscribers_) clients.push_back(subscriber.get());
  if (!connect_all(clients)) return;
  waiting_ = clients.size();
  for (BenchClient* const client : clients) {
    client->subscribe(filter_of(client->index()));
    client->flush();
  }
  const Instant asked = clock_now();
  while (waiting_ > 0 && result_.problem.empty()) {
    step(Duration::millis(50));
    if (clock_now() - asked > kSetUpPatience) result_.problem = "a SUBACK did not come";
  }
  clients.clear();
  for (const Publisher& publisher : publishers_) clients.push_back(publisher.client.get());
  if (!result_.problem.empty() || !connect_all(clients)) return;

  const Instant start = clock_now();
  next_due_ = last_delivery_ = start;
  for (uint32_t i = 0; i < publishers_.size(); ++i) {
    publishers_[i].queued = true;
    to_send_.push_back(i);
  }
  const Instant measure_from = start + options_.warm_up;
  const Instant end = measure_from + options_.duration;
  while (result_.problem.empty() && clock_now() < end) {
    if (!measuring_ && clock_now() >= measure_from) start_measuring();
    if (options_.rate > 0) {
      publish_due();
    } else {
      publish_in_windows();
    }
    step(options_.rate > 0 ? std::max(Duration{}, next_due_ - clock_now()) : Duration::millis(50));
    progress();
  }
  stop_measuring();
  const Instant drained = clock_now() + kDrain;
  while (result_.problem.empty() && clock_now() < drained) step(Duration::millis(20));
  judge();
  stopping_ = true;
}

bool Load::may_publish(const Publisher& publisher) const {
  return publisher.client->is_connected() && publisher.client->unacknowledged < options_.window &&
         publisher.undelivered < uint64_t{options_.window} * deliveries_of_one();
}

void Load::publish(Publisher& publisher, Instant due) {
  const Head head{publisher.client->index(), static_cast<uint32_t>(++publisher.sent), due.ns};
  uint8_t bytes[kPayloadMin];
  std::memcpy(bytes, &head, sizeof head);
  publisher.client->publish(bytes);
  publisher.undelivered += deliveries_of_one();
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

void Load::on_published(BenchClient& client) {
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
  last_delivery_ = now;
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

// ---- the loop -----------------------------------------------------------------------------------

void Load::step(Duration wait_max) {
  epoll_event events[512];
  const timespec wait{wait_max.ns / 1'000'000'000, wait_max.ns % 1'000'000'000};
  const int ready = epoll_pwait2(epoll_, events, 512, &wait, nullptr);
  for (int i = 0; i < ready; ++i) {
    static_cast<BenchClient*>(events[i].data.ptr)->on_ready(events[i].events, buffer_);
  }
}

void Load::start_measuring() {
  measuring_ = true;
  measuring_since_ = clock_now();
  if (!options_.pids.empty()) stats_before_ = stats_of(options_.pids);
}

void Load::stop_measuring() {
  if (!measuring_) return;
  measuring_ = false;
  result_.measured = clock_now() - measuring_since_;
  if (!stats_before_) return;
  result_.cpu = stats_of(options_.pids);
  if (result_.cpu) result_.cpu->cpu = result_.cpu->cpu - stats_before_->cpu;
}

void Load::progress() {
  const Instant now = clock_now();
  if (options_.quiet || options_.json || now - last_progress_ < Duration::seconds(1)) return;
  const double seconds = static_cast<double>((now - last_progress_).ns) / 1e9;
  std::fprintf(stderr, "%s %.0f messages/s\n", measuring_ ? "measuring" : "warming up",
               static_cast<double>(result_.delivered - shown_delivered_) / seconds);
  shown_delivered_ = result_.delivered;
  last_progress_ = now;
}

}  // namespace shoal::bench
