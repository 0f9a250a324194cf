// A worker: one thread, one Broker, and the sockets of its connections.
//
// A turn is: wait for sockets, mail or the next tick; read what is ready, one read a socket, into one
// buffer that all share; take the mail; then Broker::end_turn(), whose effects are carried out: mail
// for others in one batch each, then one gathered write a connection.
//
// Readiness comes from an epoll set of the worker's own and not from Asio, whose async_wait costs a
// system call to arm each wait and about 500 bytes a connection (docs/decisions has the figures).
//
// All workers poll the same listening sockets; whoever accepts keeps the connection, unless another
// has clearly fewer: that spreads few connections evenly and costs a hand-over only where it helps.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "node/broker/broker.h"
#include "node/config/log.h"
#include "node/runtime/clock.h"
#include "node/runtime/connection_ledger.h"
#include "node/runtime/deadline_queue.h"
#include "node/runtime/figures_board.h"
#include "node/runtime/listener_gate.h"
#include "node/runtime/loop_lag.h"
#include "node/runtime/mailbox.h"
#include "node/runtime/poller.h"
#include "node/runtime/socket_table.h"
#include "node/runtime/worker_loads.h"
#include "node/runtime/worker_mail.h"

namespace shoal {

struct WorkerListener {
  int fd = -1;       // not owned
  std::string name;  // for logs
  // Null: plain TCP. `fd` stays the worker's, `address` is the socket's.
  std::function<std::unique_ptr<Transport>(int fd, const std::string& address)> make_transport;
  std::shared_ptr<ListenerGate> gate;  // null: it listens to the end
  bool is_behind_balancer = false;     // and so does not listen while the node drains
  bool has_tls = false;                // whose handshake is too dear for who is one too many
};

// What a worker has in common with the others. Outlives them.
struct WorkerWorld {
  HubInbox& hub;
  CredentialDesk& credentials;
  ConnectionLedger& ledger;
  WorkerLoads& loads;
  FiguresBoard& board;
  Log& log;
  std::vector<WorkerListener> listeners;         // at the positions of BrokerConfig::listeners
  std::vector<std::unique_ptr<Worker>> workers;  // complete before the first starts
};

class Worker {
 public:
  // `config.worker` is its index.
  Worker(BrokerConfig config, uint64_t seed, WorkerWorld& world);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // ---- any thread
  void start();
  void stop();  // returns when the thread has ended; connections are closed without a word
  void post(WorkerMail mail) { mailbox_.post(std::move(mail)); }
  void post_all(std::vector<WorkerMail>& mails) { mailbox_.post_all(mails); }

  // ---- its own thread, from a WorkerTask
  Broker& broker() { return broker_; }
  WorkerIndex index() const { return index_; }
  // Nothing for a connection that is gone.
  std::optional<uint16_t> listener_of(ConnId conn);
  size_t socket_count() const { return figures_.sockets_now; }
  void stop_accepting();
  // Its clients' rights were read anew, as every worker's are, each in its time.
  void rights_renewed() { ++rights_round_; }
  // Closes what is still open: shutting down must come to its end.
  void close_all();

 private:
  // worker.cc: the loop
  void run();
  void turn();
  int timeout_ms() const;
  void on_ready(const epoll_event& event);
  void on_mails();
  void on_mail(ToWorker&& mail);
  void on_drain(bool is_draining);
  void on_mail(AcceptedSocket&& accepted);
  void on_mail(MovedSocket&& moved);
  void on_mail(CheckedCredentials&& checked);
  void on_mail(WorkerTask&& task);
  void on_tick();

  // worker_sockets.cc: sockets
  void listen_to(uint16_t listener);
  bool accept_from(uint16_t listener);  // whether more may wait
  void accept_all(uint16_t listener);
  void rest_from_accepting(uint16_t listener, int error);
  void listen_again();
  void close_listener(uint16_t listener);
  void turn_away(FileDescriptor fd, uint16_t listener, std::string address);
  void adopt(FileDescriptor fd, uint16_t listener, std::string address);
  void begin_opening(Socket& socket, std::string address, DeadlineQueue& deadlines);
  uint32_t add_socket(FileDescriptor fd, uint16_t listener);
  void continue_opening(Socket& socket);
  void fail_opening(Socket& socket, const std::string& why);
  void opened(Socket& socket, Arrival arrival);
  void on_socket(Socket& socket, uint32_t events);
  void read_from(Socket& socket);
  void read_on();
  void write_to(Socket& socket);
  void drain(Socket& socket);
  void set_interest(Socket& socket);
  void lost(Socket& socket);    // the other side went, or broke
  void finish(Socket& socket);  // closed from here, all written
  void drop(Socket& socket);    // gone for good
  void expire(DeadlineQueue::Entry entry);

  // worker_effects.cc: effects
  void carry_out(Effects& effects);
  void post_to_workers(Effects& effects);
  void close_as_asked(const Effects::Close& close);
  void set_paused(ConnId conn, bool is_paused);
  void check(CredentialCheck& check);
  void log(const LogEvent& event);

  // worker_moving.cc: connections that go to another worker
  void look_at_loads(Instant now);
  void on_wish(const Effects::Wish& wish);

  Now now_for_turn() const { return {mono_now(), wall_ms_}; }

  const WorkerIndex index_;
  const Limits limits_;
  WorkerWorld& world_;
  Broker broker_;

  Poller poller_;
  WakeUp wake_up_;
  Mailbox<WorkerMail> mailbox_{wake_up_};
  std::vector<WorkerMail> mails_;
  SocketTable sockets_;
  DeadlineQueue opening_deadlines_;
  DeadlineQueue turning_away_deadlines_;
  DeadlineQueue closing_deadlines_;
  std::vector<std::vector<WorkerMail>> outgoing_;  // by worker, empty between turns
  std::vector<uint8_t> buffer_;
  Instant next_tick_;
  int64_t wall_ms_ = 0;
  std::vector<SocketRef> half_read_;  // their transports have more, of which no socket tells
  bool has_new_events_ = false;       // carrying out effects brought some
  bool has_more_ = false;             // the broker left work for later (Effects::more)
  enum class Listening : uint8_t { kClosed, kOpen, kResting };  // resting: until the next tick
  std::vector<Listening> listening_;                            // by listener
  bool is_stopping_ = false;
  uint64_t rights_round_ = 0;
  Duration processor_;  // what the thread had of it when the loads were looked at
  Instant loads_seen_;
  uint32_t moves_left_ = 0;  // until they are looked at again
  std::optional<WorkerIndex> relief_;
  WorkerFigures figures_;
  LoopLag lag_;
  std::thread thread_;
};

}  // namespace shoal
