#include "node/serve/hub_thread.h"

#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "cluster/engine/store_engine.h"
#include "cluster/rpc/frames.h"
#include "node/runtime/clock.h"

namespace shoal {
namespace {

// Writes of a lane are some hundred microseconds apart: the default slack of 50 would be felt.
constexpr unsigned long kTimerSlackNs = 1'000;
// More than this is worth a thread of its own.
constexpr size_t kGuestMailsMax = 32;
constexpr size_t kGuestBytesMax = size_t{64} * 1024;
constexpr size_t kGuestChangesMax = 16;

// What a worker does for the hub must not keep its own clients waiting. Not so light is what the store has to
// do: a leader may have to read its log for a follower, from a disk.
bool is_light(const ToHub& mail) {
  if (const auto* const routes = std::get_if<RouteBatch>(&mail)) {
    return routes->changes.size() <= kGuestChangesMax;
  }
  if (const auto* const forward = std::get_if<ForwardOut>(&mail)) {
    return forward->batch->large.empty() && forward->batch->records.size() <= kGuestBytesMax;
  }
  if (const auto* const write = std::get_if<RetainWrite>(&mail)) {
    return write->message->payload().size() <= kGuestBytesMax;
  }
  return !std::holds_alternative<ToStore>(mail);
}

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

// Before the workers, which may do the first turn.
void HubThread::start() {
  next_tick_ = mono_now() + Hub::kTick;
  hub_.on_start(now());
  carry_out();
  thread_ = std::thread([this] { run(); });
}

void HubThread::stop() {
  if (!thread_.joinable()) return;
  run_task([](HubThread& self) { self.is_stopping_ = true; });
  thread_.join();
}

// Who wants a client id that is given back asks the hub, which then finds this before it.
bool HubThread::post(WorkerIndex from, std::vector<ToHub>& mails) {
  if (mails.empty()) return false;
  if (do_as_guest(from, mails)) return true;
  const bool is_waited_for = !std::all_of(mails.begin(), mails.end(), [](const ToHub& each) {
    return std::holds_alternative<ClaimRelease>(each);
  });
  FromWorker mail{from, std::move(mails)};
  is_waited_for ? mailbox_.post(std::move(mail)) : mailbox_.leave(std::move(mail));
  mails.clear();
  return false;
}

bool HubThread::do_as_guest(WorkerIndex from, std::vector<ToHub>& mails) {
  if (mails.size() > kGuestMailsMax || !std::all_of(mails.begin(), mails.end(), is_light)) {
    return false;
  }
  SharedTurn::Lock lock = turn_.try_begin();
  if (!lock || mailbox_.has_mail()) return false;
  on(from, mails);
  mails.clear();
  const Instant due = end_turn();
  turn_.end_as_guest(std::move(lock), due);
  return true;
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
  while (!is_stopping_) {
    SharedTurn::Lock lock = turn_.begin();
    turn();
    const Instant due = end_turn();
    turn_.end(std::move(lock), std::min(next_tick_, due));
    if (!mailbox_.has_mail() && !is_stopping_) turn_.sleep();
    turn_.awake();
  }
}

void HubThread::turn() {
  mailbox_.take(mails_);
  for (Mail& mail : mails_) {
    std::visit([this](auto& each) { on(each); }, mail);
  }
  mails_.clear();
  if (const Now time = now(); time.mono >= next_tick_) {
    next_tick_ = std::max(next_tick_ + Hub::kTick, time.mono);
    transport_->let_go();
    hub_.on_tick(time);
    carry_out();
  }
}

// When there has to be another, if nothing comes before.
Instant HubThread::end_turn() {
  end_turn_of_store();
  for (size_t i = 0; i < outgoing_.size(); ++i) (*workers_)[i]->post_all(outgoing_[i]);
  return transport_->poll(mono_now());
}

void HubThread::on(FromWorker& mail) { on(mail.worker, mail.mails); }

void HubThread::on(WorkerIndex worker, std::vector<ToHub>& mails) {
  for (ToHub& each : mails) {
    hub_.on_worker(worker, std::move(each), now());
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
