#include "node/client/bench/load.h"

#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>

namespace shoal::bench {
namespace {

constexpr size_t kBufferBytes = 512 * 1024;
constexpr Duration kSetUpPatience = Duration::seconds(60);

std::string random_name() {
  std::random_device random;
  char text[16];
  std::snprintf(text, sizeof text, "%08x", random());
  return text;
}

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
  auto publish_to = resolve_all(options_.publish_to);
  auto subscribe_from = resolve_all(options_.subscribe_from);
  if (!publish_to || !subscribe_from) {
    result_.problem = "an endpoint's host name is unknown";
    return std::move(result_);
  }
  publish_to_ = *std::move(publish_to);
  subscribe_from_ = *std::move(subscribe_from);
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

bool Load::is_messaging() const {
  return options_.pattern != Pattern::kIdle && options_.pattern != Pattern::kConnect;
}

bool Load::open(BenchClient& client) {
  const bool publishes =
      client.index() < publishers_.size() && publishers_[client.index()].client.get() == &client;
  const auto& endpoints = publishes ? publish_to_ : subscribe_from_;
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
      result_.problem = "in " + std::to_string((clock_now() - start).to_seconds()) + " s " +
                        std::to_string(opened - waiting_) + " of " +
                        std::to_string(clients.size()) + " connections got their CONNACK";
      return false;
    }
  }
  return true;
}

void Load::on_connected(BenchClient& client) {
  ++result_.connected;
  if (waiting_ > 0) --waiting_;
  if (!is_messaging()) result_.latency.add(clock_now() - client.dialled());
  if (options_.pattern != Pattern::kConnect || !measuring_) return;
  ++result_.connects;
  client.disconnect();
  --result_.connected;
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
  measuring_ = false;
  for (uint32_t i = 0; i < at_once; ++i) {
    others_.push_back(
        std::make_unique<BenchClient>(*this, i, run_name_ + "-" + std::to_string(i), options_));
  }
  start_measuring();
  for (const auto& client : others_) {
    if (!open(*client)) result_.problem = "cannot open a connection";
  }
  const Instant end = clock_now() + options_.duration;
  while (clock_now() < end && result_.problem.empty()) step(Duration::millis(50));
  stop_measuring();
  stopping_ = true;
}

// ---- the loop -----------------------------------------------------------------------------------

void Load::step(Duration wait_max) {
  epoll_event events[512];
  const timespec wait{wait_max.ns / 1'000'000'000, wait_max.ns % 1'000'000'000};
  const int ready = epoll_pwait2(epoll_, events, 512, &wait, nullptr);
  for (int i = 0; i < ready; ++i) {
    static_cast<BenchClient*>(events[i].data.ptr)->on_ready(events[i].events, buffer_);
  }
  progress();
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

// One line a second: what has happened since the last.
void Load::progress() {
  const Instant now = clock_now();
  if (options_.quiet || now - last_progress_ < Duration::seconds(1)) return;
  const double seconds = static_cast<double>((now - last_progress_).ns) / 1e9;
  const char* const phase = measuring_ ? "measuring" : "preparing";
  const uint64_t done = arrived_ + result_.connects;
  std::fprintf(stderr, "%s: %llu connected, %.0f %s/s\n", phase,
               static_cast<unsigned long long>(result_.connected),
               static_cast<double>(done - shown_) / seconds,
               options_.pattern == Pattern::kConnect ? "connects" : "messages");
  shown_ = done;
  last_progress_ = now;
}

}  // namespace shoal::bench
