// What a worker's broker asks for at the end of a turn.
#include <utility>

#include "node/codec/reason_code.h"
#include "node/runtime/worker.h"

namespace shoal {
namespace {

// As long as a flush and a linger may take together.
constexpr Duration kFlushTime = Duration::seconds(5);

}  // namespace

void Worker::carry_out(Effects& effects) {
  // Mail first: other threads work on it while this one writes.
  post_to_workers(effects);
  if (world_.hub.post(index_, effects.to_hub) && mailbox_.has_mail()) has_new_events_ = true;

  for (const ConnId conn : effects.dirty) {
    Socket* const socket = sockets_.of(conn);
    if (socket != nullptr && !socket->waits_to_write) write_to(*socket);
  }
  for (const Effects::Close& close : effects.closes) close_as_asked(close);
  for (const ConnId conn : effects.dirty) {
    if (Socket* const socket = sockets_.of(conn)) socket->wrote_this_turn = false;
  }
  for (const ConnId conn : effects.pause_reading) set_paused(conn, true);
  for (const ConnId conn : effects.resume_reading) set_paused(conn, false);
  for (CredentialCheck& each : effects.credential_checks) check(each);
  for (const LogEvent& event : effects.log) log(event);
  for (const Effects::Wish& wish : effects.wishes) on_wish(wish);
  has_more_ = has_more_ || effects.more;
}

void Worker::post_to_workers(Effects& effects) {
  for (Effects::WorkerMail& mail : effects.to_workers) {
    outgoing_[mail.worker].push_back(std::move(mail.mail));
  }
  for (size_t i = 0; i < world_.workers.size(); ++i) {
    if (!outgoing_[i].empty()) world_.workers[i]->post_all(outgoing_[i]);
  }
}

void Worker::set_paused(ConnId conn, bool is_paused) {
  Socket* const socket = sockets_.of(conn);
  if (socket == nullptr) return;
  socket->is_paused = is_paused;
  set_interest(*socket);
  // What OpenSSL has decrypted already, the socket does not tell of again.
  if (!is_paused && socket->transport && socket->transport->has_more()) read_from(*socket);
}

void Worker::close_as_asked(const Effects::Close& close) {
  Socket* const socket = sockets_.of(close.conn);
  if (socket == nullptr) return;
  if (!close.after_flush) return lost(*socket);
  socket->state = Socket::State::kFlushing;
  if (!socket->waits_to_write) return finish(*socket);
  set_interest(*socket);
  closing_deadlines_.add(sockets_.ref_of(sockets_.index_of(*socket)), mono_now() + kFlushTime);
}

void Worker::check(CredentialCheck& check) {
  const ConnId conn = check.conn;
  const auto answer = world_.credentials.check(std::move(check), *this);
  if (!answer) return;
  broker_.on_credentials(conn, *answer, now_for_turn());
  has_new_events_ = true;
}

void Worker::log(const LogEvent& event) {
  static constexpr struct {
    LogLevel level;
    std::string_view message;
  } kLines[] = {
      {LogLevel::kInfo, "client connected"},    {LogLevel::kInfo, "client refused"},
      {LogLevel::kInfo, "client disconnected"}, {LogLevel::kInfo, "client taken over"},
      {LogLevel::kWarning, "client too slow"},  {LogLevel::kWarning, "client does not acknowledge"},
  };
  const auto& line = kLines[static_cast<size_t>(event.kind)];
  if (!world_.log.is_on(line.level)) return;
  world_.log(line.level, line.message,
             {{"client", event.client_id},
              {"user", event.user},
              {"address", event.address},
              {"reason", name_of(event.reason)},
              {"detail", event.detail}});
}

}  // namespace shoal
