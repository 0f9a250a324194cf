// Connections that go to another worker of the node (Effects::wishes, node/broker/moving.cc).
#include <ctime>
#include <utility>

#include "node/broker/moved_client.h"
#include "node/runtime/worker.h"

namespace shoal {
namespace {

// Between two looks at the loads: so few that they show what it did.
constexpr uint32_t kMovesPerTick = 2;
constexpr uint32_t kConnectionsPerMove = 16;
constexpr uint32_t kReliefsPerTick = 2;

Duration processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return Duration::seconds(time.tv_sec) + Duration{time.tv_nsec};
}

}  // namespace

// With each tick.
void Worker::look_at_loads(Instant now) {
  const Duration processor = processor_time();
  world_.loads.show(index_, processor - processor_, now - loads_seen_);
  processor_ = processor;
  loads_seen_ = now;
  moves_left_ = kMovesPerTick + static_cast<uint32_t>(figures_.sockets_now) / kConnectionsPerMove;
  relief_ = world_.loads.relief_of(index_);
  broker_.offer_publishers(relief_.value_or(index_), relief_ ? kReliefsPerTick : 0);
}

void Worker::on_wish(const Effects::Wish& wish) {
  Socket* const socket = sockets_.of(wish.conn);
  if (socket == nullptr || socket->state != Socket::State::kOpen || moves_left_ == 0) return;
  if (wish.worker != relief_ && !world_.loads.may_gather(index_, wish.worker)) return;
  if (socket->waits_to_write || socket->read_waits_to_write || socket->is_paused) return;
  if (socket->transport && (socket->transport->has_more() || !socket->transport->is_flushed()))
    return;
  auto client = broker_.move_out(wish.conn, wish.worker, now_for_turn());
  if (!client) return;
  --moves_left_;
  sockets_.unbind(wish.conn);
  poller_.remove(socket->fd.get());
  MovedSocket moved{std::move(socket->fd), std::move(socket->transport), socket->listener,
                    rights_round_, std::move(client)};
  world_.ledger.move(index_, wish.worker);
  --figures_.sockets_now;
  sockets_.remove(sockets_.index_of(*socket));
  outgoing_[wish.worker].push_back(std::move(moved));
  has_new_events_ = true;  // the mail leaves at the end of this turn
}

void Worker::on_mail(MovedSocket&& moved) {
  Socket& socket = sockets_.at(add_socket(std::move(moved.fd), moved.listener));
  socket.transport = std::move(moved.transport);
  socket.state = Socket::State::kOpen;
  const uint32_t index = sockets_.index_of(socket);
  sockets_.bind(broker_.move_in(std::move(moved.client), now_for_turn()), index);
  // The rights were read anew between its leaving there and its coming here.
  if (moved.rights_round < rights_round_) world_.credentials.renew_rights(*this);
}

}  // namespace shoal
