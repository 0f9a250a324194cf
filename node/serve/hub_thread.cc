#include "node/serve/hub_thread.h"

#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "cluster/engine/store_engine.h"
#include "cluster/rpc/frames.h"
#include "node/runtime/clock.h"

namespace shoal {
namespace {

// The lanes linger for 100 to 300 microseconds: the default slack of 50 would be felt.
constexpr unsigned long kTimerSlackNs = 1'000;

LogLevel level_of(HubEffects::Log::Level level) {
  switch (level) {
    case HubEffects::Log::Level::kInfo: return LogLevel::kInfo;
    case HubEffects::Log::Level::kWarn: return LogLevel::kWarning;
    case HubEffects::Log::Level::kError: break;
  }
  return LogLevel::kError;
}

}  // namespace

HubThread::HubThread(HubConfig config, StoredState stored, uint64_t seed, StateWriter& writer,
                     Log& log)
    : hub_(std::move(config), std::move(stored), seed), writer_(writer), log_(log) {}

HubThread::~HubThread() { stop(); }

void HubThread::connect(PeerTransport& transport,
                        const std::vector<std::unique_ptr<Worker>>& workers,
                        engine::StoreEngine& store) {
  transport_ = &transport;
  store_ = &store;
  workers_ = &workers;
  outgoing_.resize(workers.size());
}

void HubThread::start() {
  thread_ = std::thread([this] { run(); });
}

void HubThread::stop() {
  if (!thread_.joinable()) return;
  run_task([](HubThread& self) { self.is_stopping_ = true; });
  thread_.join();
}

// Who wants a client id that is given back asks the hub, which then finds this before it.
void HubThread::post(WorkerIndex from, std::vector<ToHub>& mails) {
  if (mails.empty()) return;
  const bool is_waited_for = !std::all_of(mails.begin(), mails.end(), [](const ToHub& each) {
    return std::holds_alternative<ClaimRelease>(each);
  });
  FromWorker mail{from, std::move(mails)};
  is_waited_for ? mailbox_.post(std::move(mail)) : mailbox_.leave(std::move(mail));
  mails.clear();
}

void HubThread::on_link_up(LinkId link, bool dialed, std::string remote) {
  mailbox_.post(Up{link, dialed, std::move(remote)});
}

void HubThread::on_frames(LinkId link, Lane lane, std::string batch) {
  mailbox_.post(Frames{link, lane, std::move(batch)});
}

void HubThread::on_link_down(LinkId link, std::string reason) {
  mailbox_.post(Down{link, std::move(reason)});
}

void HubThread::on_stored(uint64_t token) { mailbox_.post(Stored{token}); }

void HubThread::run_task(Task task) { mailbox_.post(std::move(task)); }

void HubThread::command(HubCommand command, Answered answered) {
  mailbox_.post(Asked{std::move(command), std::move(answered)});
}

void HubThread::run() {
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  next_tick_ = mono_now() + Hub::kTick;
  hub_.on_start(now());
  carry_out();
  while (!is_stopping_) turn();
}

void HubThread::turn() {
  mailbox_.take(mails_);
  for (Mail& mail : mails_) {
    std::visit([this](auto& each) { on(each); }, mail);
  }
  mails_.clear();
  if (const Now time = now(); time.mono >= next_tick_) {
    next_tick_ = std::max(next_tick_ + Hub::kTick, time.mono);
    hub_.on_tick(time);
    carry_out();
  }
  end_turn_of_store();
  for (size_t i = 0; i < outgoing_.size(); ++i) (*workers_)[i]->post_all(outgoing_[i]);
  next_poll_ = transport_->poll(mono_now());
  wait();
}

void HubThread::wait() {
  wake_up_.sleep();
  const Duration left = std::min(next_tick_, next_poll_) - mono_now();
  if (left.ns > 0 && !mailbox_.has_mail() && !is_stopping_) {
    const timespec timeout{left.to_seconds(), left.ns % 1'000'000'000};
    pollfd ready{wake_up_.fd(), POLLIN, 0};
    if (::ppoll(&ready, 1, &timeout, nullptr) > 0) wake_up_.clear();
  }
  wake_up_.awake();
}

void HubThread::on(FromWorker& mail) {
  for (ToHub& each : mail.mails) {
    hub_.on_worker(mail.worker, std::move(each), now());
    carry_out();
  }
}

void HubThread::on(Up& mail) {
  hub_.on_link_up(mail.link, mail.dialed, std::move(mail.remote), now());
  carry_out();
}

void HubThread::on(Frames& mail) {
  FrameReader reader(mail.batch);
  while (const auto frame = reader.next()) {
    hub_.on_frame(mail.link, mail.lane, *frame, now());
    carry_out();
  }
}

void HubThread::on(Down& mail) {
  hub_.on_link_down(mail.link, std::move(mail.reason), now());
  carry_out();
}

void HubThread::on(Stored& mail) {
  hub_.on_stored(mail.token, now());
  carry_out();
}

void HubThread::on(Asked& mail) {
  const uint64_t token = ++last_command_;
  commands_.emplace_back(token, std::move(mail.answered));
  hub_.on_command(token, mail.command, now());
  carry_out();
}

void HubThread::on(Task& task) {
  task(*this);
  carry_out();
}

// Once for all that came, so that one write and one sync serve it.
void HubThread::end_turn_of_store() {
  replica::StoreEffects* const effects = hub_.end_turn(now());
  if (effects == nullptr) return;
  store_->carry_out(*effects);
  effects->clear();
  carry_out();
}

void HubThread::carry_out() {
  HubEffects& effects = hub_.effects();
  if (effects.empty()) return;
  if (effects.open_store) store_->open(*std::move(effects.open_store));
  if (!effects.retained_writes.empty()) store_->write(effects.retained_writes);
  for (const auto& dial : effects.dials) transport_->dial(dial.link, dial.address);
  for (const auto& send : effects.sends) transport_->send(send.link, send.lane, *send.frame);
  for (const auto& close : effects.closes) transport_->close(close.link);
  for (const auto& mail : effects.mails) post_to(mail);
  for (auto& store : effects.stores) writer_.write(store.token, std::move(store.state));
  for (const auto& log : effects.logs) log_(level_of(log.level), log.line);
  for (const auto& answer : effects.answers) {
    const auto asked = std::find_if(commands_.begin(), commands_.end(), [&](const auto& command) {
      return command.first == answer.token;
    });
    if (asked == commands_.end()) continue;
    asked->second(answer);
    commands_.erase(asked);
  }
  effects.clear();
}

void HubThread::post_to(const HubEffects::Mail& mail) {
  for (size_t i = 0; i < outgoing_.size(); ++i) {
    if ((mail.workers >> i & 1) != 0) outgoing_[i].push_back(mail.mail);
  }
}

}  // namespace shoal
