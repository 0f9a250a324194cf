#include "node/runtime/worker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "node/runtime/event_tag.h"

namespace shoal {
namespace {

// One read takes what a client sent in a turn; larger only makes the cache colder.
constexpr size_t kReadBufferBytes = 128 * 1024;
// Effects that bring events, whose effects bring events: so often before the sockets are looked at.
constexpr int kEndTurnsMax = 4;

}  // namespace

Worker::Worker(BrokerConfig config, uint64_t seed, WorkerWorld& world)
    : index_(config.worker),
      limits_(config.limits),
      world_(world),
      broker_(std::move(config), seed),
      outgoing_(kWorkersMax),
      buffer_(kReadBufferBytes),
      listening_(world.listeners.size(), Listening::kClosed) {
  // Edge-triggered, and so never read: each signal is an edge, and its count cannot run over.
  poller_.add(wake_up_.fd(), EPOLLIN | EPOLLET, EventTag::of_wake_up().value);
  for (size_t i = 0; i < world_.listeners.size(); ++i) listen_to(static_cast<uint16_t>(i));
}

Worker::~Worker() { stop(); }

void Worker::start() {
  next_tick_ = mono_now() + Broker::kTick;
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  post(WorkerTask([](Worker& worker) { worker.is_stopping_ = true; }));
  thread_.join();
}

void Worker::run() {
  while (!is_stopping_) turn();
}

void Worker::turn() {
  const auto events = poller_.wait(timeout_ms());
  wake_up_.awake();
  const Now start = now();
  wall_ms_ = start.wall_ms;

  read_on();
  for (const epoll_event& event : events) on_ready(event);
  on_mails();
  if (start.mono >= next_tick_) on_tick();
  if (std::exchange(has_more_, false)) broker_.on_more(now_for_turn());

  for (int i = 0; i < kEndTurnsMax && (i == 0 || has_new_events_); ++i) {
    has_new_events_ = false;
    if (i != 0) on_mails();
    carry_out(broker_.end_turn(now_for_turn()));
  }
  ++figures_.turns;
  lag_.add(mono_now() - start.mono);
  wake_up_.sleep();  // whoever posts from here on wakes the next wait
}

int Worker::timeout_ms() const {
  if (has_new_events_ || has_more_ || !half_read_.empty() || mailbox_.has_mail()) return 0;
  const Duration left = next_tick_ - mono_now();
  return static_cast<int>(std::max<int64_t>(0, left.to_millis() + 1));
}

void Worker::on_ready(const epoll_event& event) {
  const EventTag tag{event.data.u64};
  if (tag.is_wake_up()) return;
  if (tag.is_listener()) {
    accept_from(tag.listener());
    return;
  }
  // A socket that an event before this one closed is found no more.
  if (Socket* const socket = sockets_.find(tag.socket())) on_socket(*socket, event.events);
}

void Worker::on_mails() {
  mailbox_.take(mails_);
  for (WorkerMail& mail : mails_) {
    std::visit([this](auto&& each) { on_mail(std::move(each)); }, std::move(mail));
  }
  mails_.clear();
}

void Worker::on_mail(ToWorker&& mail) {
  const auto* const drain = std::get_if<Drain>(&mail);
  const std::optional<bool> is_draining =
      drain != nullptr ? std::optional(drain->per_second > 0) : std::nullopt;
  broker_.on_mail(std::move(mail), now_for_turn());
  if (is_draining) on_drain(*is_draining);
}

// Whoever comes to this node itself is told to go elsewhere. A balancer would only bring its clients
// back, as the emptiest node is its first choice until its checks have failed.
void Worker::on_drain(bool is_draining) {
  for (size_t i = 0; i < world_.listeners.size(); ++i) {
    const auto listener = static_cast<uint16_t>(i);
    if (!world_.listeners[i].is_behind_balancer || !world_.listeners[i].gate) continue;
    if (!is_draining) {
      listen_to(listener);
    } else if (listening_[i] != Listening::kClosed) {
      accept_all(listener);
      close_listener(listener);
    }
  }
}

void Worker::on_mail(CheckedCredentials&& checked) {
  broker_.on_credentials(checked.conn, checked.answer, now_for_turn());
}

void Worker::on_mail(WorkerTask&& task) { task(*this); }

void Worker::on_tick() {
  const Instant now = mono_now();
  // One tick, however many were missed: the broker looks at the time and does not count ticks.
  next_tick_ = std::max(next_tick_ + Broker::kTick, now);
  broker_.on_tick(now_for_turn());
  world_.board.show(index_, {broker_.counters(), figures_, lag_});
  look_at_loads(now);
  listen_again();
  for (DeadlineQueue* const queue :
       {&opening_deadlines_, &turning_away_deadlines_, &closing_deadlines_}) {
    while (const auto due = queue->take_due(now)) expire(*due);
  }
}

std::optional<uint16_t> Worker::listener_of(ConnId conn) {
  const Socket* const socket = sockets_.of(conn);
  return socket != nullptr ? std::optional(socket->listener) : std::nullopt;
}

void Worker::stop_accepting() {
  for (size_t i = 0; i < listening_.size(); ++i) close_listener(static_cast<uint16_t>(i));
}

void Worker::close_all() {
  sockets_.for_each([this](Socket& socket) {
    if (socket.state == Socket::State::kOpen) return lost(socket);
    drop(socket);
  });
}

}  // namespace shoal
