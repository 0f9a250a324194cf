// A worker's sockets: accepted, opened, read, written, closed.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "node/runtime/event_tag.h"
#include "node/runtime/listening_socket.h"
#include "node/runtime/plain_io.h"
#include "node/runtime/worker.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// So many connections of one listener a turn: in a storm of clients those that are connected are
// served between.
constexpr int kAcceptsPerTurn = 16;
// Reads of one TLS connection a turn: what OpenSSL holds already, the socket does not tell again.
constexpr int kReadsPerTurn = 16;
// A closed connection's last packets are on their way for so long, a client that does not read them
// is not waited for.
constexpr Duration kClosingTime = Duration::seconds(2);
// Who is one too many has so long for the CONNECT that can be answered.
constexpr Duration kTurningAwayTime = Duration::seconds(2);

}  // namespace

void Worker::listen_to(uint16_t listener) {
  if (listening_[listener] == Listening::kOpen) return;
  const WorkerListener& config = world_.listeners[listener];
  if (listening_[listener] == Listening::kClosed && config.gate) {
    if (const int error = config.gate->enter(); error != 0) {
      return world_.log(LogLevel::kError, "cannot listen again",
                        {{"listener", config.name}, {"error", std::strerror(error)}});
    }
  }
  listening_[listener] = Listening::kOpen;
  // Exclusive: a connection wakes one worker, not all.
  poller_.add(config.fd, EPOLLIN | EPOLLEXCLUSIVE, EventTag::of_listener(listener).value);
}

void Worker::close_listener(uint16_t listener) {
  const Listening before = std::exchange(listening_[listener], Listening::kClosed);
  if (before == Listening::kClosed) return;
  if (before == Listening::kOpen) poller_.remove(world_.listeners[listener].fd);
  if (world_.listeners[listener].gate) world_.listeners[listener].gate->leave();
}

bool Worker::accept_from(uint16_t listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    FileDescriptor fd(::accept4(world_.listeners[listener].fd,
                                reinterpret_cast<sockaddr*>(&address), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN) rest_from_accepting(listener, errno);
      return false;
    }
    const WorkerIndex worker = world_.ledger.worker_for_next(index_);
    if (!world_.ledger.admit(listener, worker)) {
      turn_away(std::move(fd), listener, address_of_peer(address));
      continue;
    }
    ++figures_.accepted;
    if (worker == index_) {
      adopt(std::move(fd), listener, address_of_peer(address));
    } else {
      outgoing_[worker].push_back(
          AcceptedSocket{std::move(fd), listener, address_of_peer(address)});
      has_new_events_ = true;  // the mail leaves at the end of this turn
    }
  }
  return true;
}

// Whom the system let in already; those who come between this and the end of listening are reset.
void Worker::accept_all(uint16_t listener) {
  for (int left = kListenBacklog; left > 0 && accept_from(listener); left -= kAcceptsPerTurn) {
  }
}

// No descriptor is left, or no memory. The connection waits on, which would wake us without end.
void Worker::rest_from_accepting(uint16_t listener, int error) {
  world_.log(LogLevel::kError, "cannot accept a connection",
             {{"listener", world_.listeners[listener].name}, {"error", std::strerror(error)}});
  poller_.remove(world_.listeners[listener].fd);
  listening_[listener] = Listening::kResting;
}

void Worker::listen_again() {
  for (size_t i = 0; i < listening_.size(); ++i) {
    if (listening_[i] == Listening::kResting) listen_to(static_cast<uint16_t>(i));
  }
}

void Worker::on_mail(AcceptedSocket&& accepted) {
  adopt(std::move(accepted.fd), accepted.listener, std::move(accepted.address));
}

// One too many. The broker tells it so, if its CONNECT comes soon; where that would cost too much, or
// others are being told already, it is closed without a word.
void Worker::turn_away(FileDescriptor fd, uint16_t listener, std::string address) {
  ++figures_.refused;
  world_.log(LogLevel::kWarning, "too many connections",
             {{"listener", world_.listeners[listener].name}});
  if (world_.listeners[listener].has_tls || !world_.ledger.begin_turning_away()) return;
  Socket& socket = sockets_.at(add_socket(std::move(fd), listener));
  socket.is_turned_away = true;
  socket.connect_by = mono_now() + std::min(kTurningAwayTime, limits_.connect_timeout);
  begin_opening(socket, std::move(address), turning_away_deadlines_);
}

void Worker::adopt(FileDescriptor fd, uint16_t listener, std::string address) {
  Socket& socket = sockets_.at(add_socket(std::move(fd), listener));
  socket.connect_by = mono_now() + limits_.connect_timeout;
  begin_opening(socket, std::move(address), opening_deadlines_);
}

uint32_t Worker::add_socket(FileDescriptor fd, uint16_t listener) {
  const uint32_t index = sockets_.add();
  Socket& socket = sockets_.at(index);
  ++figures_.sockets_now;
  socket.fd = std::move(fd);
  socket.listener = listener;
  socket.interest = EPOLLIN;
  poller_.add(socket.fd.get(), EPOLLIN, EventTag::of_socket(sockets_.ref_of(index)).value);
  return index;
}

void Worker::begin_opening(Socket& socket, std::string address, DeadlineQueue& deadlines) {
  const auto& make_transport = world_.listeners[socket.listener].make_transport;
  if (!make_transport) {
    Arrival arrival;
    arrival.address = std::move(address);
    return opened(socket, std::move(arrival));
  }
  socket.transport = make_transport(socket.fd.get(), address);
  socket.state = Socket::State::kOpening;
  deadlines.add(sockets_.ref_of(sockets_.index_of(socket)), socket.connect_by);
}

void Worker::opened(Socket& socket, Arrival arrival) {
  socket.state = Socket::State::kOpen;
  arrival.listener = socket.listener;
  arrival.is_one_too_many = socket.is_turned_away;
  arrival.connect_by = socket.connect_by;
  sockets_.bind(broker_.on_accept(std::move(arrival), now_for_turn()), sockets_.index_of(socket));
}

void Worker::continue_opening(Socket& socket) {
  using Step = Transport::Opening::Step;
  while (true) {
    const Transport::Opening opening = socket.transport->open(buffer_);
    if (opening.step == Step::kFailed) return fail_opening(socket, opening.why);
    socket.waits_to_write = opening.step == Step::kWrite;
    if (opening.step != Step::kDone) return set_interest(socket);

    Arrival arrival;
    arrival.address = socket.transport->address();
    arrival.tls_identity = socket.transport->tls_identity();
    auto successor = socket.transport->successor();
    const bool is_through = !successor || *successor == nullptr;
    if (successor) socket.transport = *std::move(successor);
    if (!is_through) continue;
    opened(socket, std::move(arrival));
    set_interest(socket);
    if (socket.transport && socket.transport->has_more()) read_from(socket);
    return;
  }
}

void Worker::fail_opening(Socket& socket, const std::string& why) {
  ++figures_.failed_openings;
  if (!why.empty()) {
    world_.log(LogLevel::kInfo, "connection refused",
               {{"listener", world_.listeners[socket.listener].name},
                {"address", socket.transport->address()},
                {"reason", why}});
  }
  socket.transport->say_goodbye();
  drop(socket);
}

void Worker::on_socket(Socket& socket, uint32_t events) {
  constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;
  switch (socket.state) {
    case Socket::State::kFree: return;
    case Socket::State::kOpening: return continue_opening(socket);
    case Socket::State::kLingering: return drain(socket);
    case Socket::State::kOpen:
    case Socket::State::kFlushing: break;
  }
  const SocketRef ref = sockets_.ref_of(sockets_.index_of(socket));
  if ((events & EPOLLOUT) != 0) {
    const bool read_goes_on = socket.read_waits_to_write;
    socket.read_waits_to_write = false;
    if (socket.waits_to_write) write_to(socket);
    if (sockets_.find(ref) == nullptr) return;
    if (read_goes_on) read_from(socket);
    if (sockets_.find(ref) == nullptr) return;
    set_interest(socket);
  }
  if ((events & (EPOLLIN | kBroken)) == 0) return;
  // A paused or closing connection is not read; but one that broke would be ready without end.
  if (socket.state == Socket::State::kOpen && !socket.is_paused) return read_from(socket);
  if ((events & kBroken) != 0) lost(socket);
}

void Worker::read_from(Socket& socket) {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const IoResult result =
        socket.transport ? socket.transport->read(buffer_) : read_socket(socket.fd.get(), buffer_);
    ++figures_.reads;
    if (result.bytes != 0) {
      figures_.bytes_read += result.bytes;
      // The time is read after the bytes were: the lease is checked against it.
      broker_.on_bytes(socket.conn, std::span(buffer_).first(result.bytes), now_for_turn());
    }
    if (result.status == IoResult::Status::kClosed) return lost(socket);
    if (result.status == IoResult::Status::kWantWrite) {
      socket.read_waits_to_write = true;
      return set_interest(socket);
    }
    if (!socket.transport || !socket.transport->has_more()) break;
    if (i + 1 == kReadsPerTurn) {
      half_read_.push_back(sockets_.ref_of(sockets_.index_of(socket)));
    }
  }
  if (socket.transport && !socket.transport->is_flushed()) write_to(socket);
}

// What a turn's share of reads left; a paused connection is read when it goes on.
void Worker::read_on() {
  for (const SocketRef ref : std::exchange(half_read_, {})) {
    Socket* const socket = sockets_.find(ref);
    if (socket != nullptr && socket->state == Socket::State::kOpen && !socket->is_paused) {
      read_from(*socket);
    }
  }
}

void Worker::write_to(Socket& socket) {
  Output& output = broker_.output(socket.conn);
  const IoResult result =
      socket.transport ? socket.transport->write(output) : write_socket(socket.fd.get(), output);
  ++figures_.writes;
  figures_.bytes_written += result.bytes;
  if (result.status == IoResult::Status::kClosed) return lost(socket);
  const bool waits = result.status == IoResult::Status::kWantWrite;
  if (waits != socket.waits_to_write) {
    socket.waits_to_write = waits;
    set_interest(socket);
  }
  socket.wrote_this_turn = true;
  if (output.wants_room() && output.bytes() <= limits_.output_bytes_low) {
    broker_.on_written(socket.conn, now_for_turn());
    has_new_events_ = true;
  }
  if (socket.state == Socket::State::kFlushing && !waits) finish(socket);
}

void Worker::set_interest(Socket& socket) {
  uint32_t interest = 0;
  if (socket.waits_to_write || socket.read_waits_to_write) interest |= EPOLLOUT;
  const bool is_reading = socket.state == Socket::State::kLingering ||
                          socket.state == Socket::State::kOpening ||
                          (socket.state == Socket::State::kOpen && !socket.is_paused);
  if (is_reading) interest |= EPOLLIN;
  if (interest == socket.interest) return;
  socket.interest = interest;
  const SocketRef ref = sockets_.ref_of(sockets_.index_of(socket));
  poller_.change(socket.fd.get(), interest, EventTag::of_socket(ref).value);
}

void Worker::lost(Socket& socket) {
  broker_.on_closed(socket.conn, now_for_turn());
  has_new_events_ = true;
  sockets_.unbind(socket.conn);
  drop(socket);
}

// To close at once would throw away what the client has not read yet, if it sent something that we
// have not read: its kernel gets a reset then. So half is closed, and the rest when the client has.
void Worker::finish(Socket& socket) {
  broker_.on_closed(socket.conn, now_for_turn());
  has_new_events_ = true;
  sockets_.unbind(socket.conn);
  socket.conn = ConnId();
  if (socket.transport) socket.transport->say_goodbye();
  if (!socket.wrote_this_turn) return drop(socket);
  ::shutdown(socket.fd.get(), SHUT_WR);
  socket.state = Socket::State::kLingering;
  socket.waits_to_write = socket.read_waits_to_write = false;
  set_interest(socket);
  closing_deadlines_.add(sockets_.ref_of(sockets_.index_of(socket)), mono_now() + kClosingTime);
}

void Worker::drain(Socket& socket) {
  const IoResult result = read_socket(socket.fd.get(), buffer_);
  if (result.status == IoResult::Status::kClosed) drop(socket);
}

void Worker::drop(Socket& socket) {
  if (socket.is_turned_away) {
    world_.ledger.end_turning_away();
  } else {
    world_.ledger.release(socket.listener, index_);
  }
  --figures_.sockets_now;
  sockets_.remove(sockets_.index_of(socket));  // epoll forgets a descriptor that is closed
}

void Worker::expire(DeadlineQueue::Entry entry) {
  Socket* const socket = sockets_.find(entry.socket);
  if (socket == nullptr) return;
  switch (socket->state) {
    case Socket::State::kOpening: ++figures_.failed_openings; return drop(*socket);
    case Socket::State::kFlushing: return lost(*socket);
    case Socket::State::kLingering: return drop(*socket);
    case Socket::State::kFree:
    case Socket::State::kOpen: return;
  }
}

}  // namespace shoal
