// The thread of the node's hub: feeds it mail of the workers, frames of peers and ticks, and carries
// its effects out to the workers' mailboxes, the transport and the data directory.
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
#include "node/runtime/worker.h"
#include "node/serve/state_writer.h"

namespace shoal {

namespace engine {
class StoreEngine;
}

class HubThread final : public HubInbox, public LinkSink {
 public:
  // Runs on the hub's thread, between events.
  using Task = std::function<void(HubThread&)>;
  // What became of a command; called on the hub's thread.
  using Answered = std::function<void(const HubEffects::Answer&)>;

  HubThread(HubConfig config, StoredState stored, uint64_t seed, StateWriter& writer, Log& log);
  ~HubThread() override;

  // Before start(): all outlive the thread.
  void connect(PeerTransport& transport, const std::vector<std::unique_ptr<Worker>>& workers,
               engine::StoreEngine& store);
  void start();
  void stop();

  // ---- any thread
  void post(WorkerIndex from, std::vector<ToHub>& mails) override;
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
  void wait();
  void on(FromWorker& mail);
  void on(Up& mail);
  void on(Frames& mail);
  void on(Down& mail);
  void on(Stored& mail);
  void on(Asked& mail);
  void on(Task& task);
  void carry_out();
  void end_turn_of_store();
  void post_to(const HubEffects::Mail& mail);

  Hub hub_;
  StateWriter& writer_;
  Log& log_;
  PeerTransport* transport_ = nullptr;
  engine::StoreEngine* store_ = nullptr;
  const std::vector<std::unique_ptr<Worker>>* workers_ = nullptr;

  WakeUp wake_up_;
  Mailbox<Mail> mailbox_{wake_up_};
  std::vector<Mail> mails_;
  std::vector<std::vector<WorkerMail>> outgoing_;  // by worker, empty between turns
  std::vector<std::pair<uint64_t, Answered>> commands_;
  uint64_t last_command_ = 0;
  Instant next_tick_;
  Instant next_poll_ = Instant::never();
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace shoal
