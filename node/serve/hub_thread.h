// The thread of the node's hub: feeds it mail of the workers, frames of peers and ticks, and carries
// its effects out to the workers' mailboxes, the transport and the data directory. What takes the hub
// a moment, a worker has it do on the worker's own thread (shared_turn.h).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "cluster/core/hub.h"
#include "cluster/rpc/peer_transport.h"
#include "node/config/log.h"
#include "node/runtime/mailbox.h"
#include "node/runtime/shared_turn.h"
#include "node/runtime/worker.h"
#include "node/serve/state_writer.h"

namespace shoal {

namespace engine {
class StoreEngine;
}

class HubThread final : public HubInbox, public LinkSink {
 public:
  // Runs on the hub's own thread, between events.
  using Task = std::function<void(HubThread&)>;
  // What became of a command; called on any thread, in a turn of the hub.
  using Answered = std::function<void(const HubEffects::Answer&)>;

  HubThread(HubConfig config, StoredState stored, uint64_t seed, StateWriter& writer, Log& log);
  ~HubThread() override;

  // Before start(): all outlive the thread.
  void connect(PeerTransport& transport, const std::vector<std::unique_ptr<Worker>>& workers,
               engine::StoreEngine& store);
  void start();
  void stop();

  // ---- any thread
  bool post(WorkerIndex from, std::vector<ToHub>& mails) override;
  void on_link_up(LinkId link, bool dialed, std::string remote) override;
  void on_frames(LinkId link, Lane lane, std::string batch) override;
  void on_link_down(LinkId link, std::string reason) override;
  void on_stored(uint64_t token);
  void run_task(Task task);
  void command(HubCommand command, Answered answered);

  // ---- its own thread, from a Task
  Hub& hub() { return hub_; }
  PeerTransport& transport() { return *transport_; }
  engine::StoreEngine& store() { return *store_; }

 private:
  struct FromWorker {
    WorkerIndex worker = 0;
    std::vector<ToHub> mails;
  };
  struct Up {
    LinkId link = 0;
    bool dialed = false;
    std::string remote;
  };
  struct Frames {
    LinkId link = 0;
    Lane lane = Lane::kControl;
    std::string batch;
  };
  struct Down {
    LinkId link = 0;
    std::string reason;
  };
  struct Stored {
    uint64_t token = 0;
  };
  struct Asked {
    HubCommand command;
    Answered answered;
  };
  using Mail = std::variant<FromWorker, Up, Frames, Down, Stored, Asked, Task>;

  void run();
  void turn();
  bool do_as_guest(WorkerIndex from, std::vector<ToHub>& mails);
  void on(FromWorker& mail);
  void on(WorkerIndex worker, std::vector<ToHub>& mails);
  void on(Up& mail);
  void on(Frames& mail);
  void on(Down& mail);
  void on(Stored& mail);
  void on(Asked& mail);
  void on(Task& task);
  void carry_out();
  Instant end_turn();
  void end_turn_of_store();
  void post_to(const HubEffects::Mail& mail);

  Hub hub_;
  StateWriter& writer_;
  Log& log_;
  PeerTransport* transport_ = nullptr;
  engine::StoreEngine* store_ = nullptr;
  const std::vector<std::unique_ptr<Worker>>* workers_ = nullptr;

  SharedTurn turn_;
  Mailbox<Mail> mailbox_{turn_.wake_up()};
  // Up to the thread's own: of whoever has the turn.
  std::vector<Mail> mails_;
  std::vector<std::vector<WorkerMail>> outgoing_;  // by worker, empty between turns
  std::vector<std::pair<uint64_t, Answered>> commands_;
  uint64_t last_command_ = 0;
  Instant next_tick_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace shoal
