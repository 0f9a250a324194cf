// Everything that one node runs, wired together, and its orderly end. The only place that knows all of
// the concrete types.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/rpc/peer_transport.h"
#include "node/config/log.h"
#include "node/config/serve_config.h"
#include "node/runtime/connection_ledger.h"
#include "node/runtime/data_dir.h"
#include "node/runtime/figures_board.h"
#include "node/runtime/file_credential_desk.h"
#include "node/runtime/listener_transports.h"
#include "node/runtime/listening_socket.h"
#include "node/runtime/scram_methods.h"
#include "node/runtime/worker.h"
#include "node/serve/hub_thread.h"
#include "node/serve/metrics.h"
#include "node/serve/state_writer.h"
#include "node/serve/system_topics.h"

namespace shoal {

class HubStoreSink;
namespace engine {
class StoreEngine;
}

class RunningNode {
 public:
  // Or why it cannot start: one line. `config` and `log` outlive the node.
  static std::variant<std::unique_ptr<RunningNode>, std::string> start(const ServeConfig& config,
                                                                       Log& log);
  ~RunningNode();

  // Certificates, users, rights. What cannot be read is logged and stays as it was.
  void reload();

  // Tells the hub what the workers have done: to be called every second or so.
  void tell_figures();
  // Publishes the $SYS topics: to be called every sys_interval.
  void tell_clients();

  // Calls `told` once this node cannot go on, with whatever it has; at once if that is so already. On
  // any thread. Then the node is to be destroyed: its peers go on without it.
  void when_failed(std::function<void()> told);

  // Says good-bye to the clients and returns when they are gone, after five seconds at the latest.
  void shut_down();

  const ServeConfig& config() const { return config_; }
  const DataDir& data_dir() const { return data_dir_; }
  const FiguresBoard& board() const { return board_; }
  HubThread& hub() { return *hub_; }
  const Log& log() const { return log_; }
  std::vector<ListenerFigures> listener_figures() const;
  uint64_t credential_checks_waiting() const { return credentials_->waiting_count(); }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return world_->workers; }
  const std::vector<ListeningSocket>& listening() const { return listening_; }
  uint16_t peer_port() const { return transport_->port(); }

 private:
  RunningNode(const ServeConfig& config, Log& log, DataDir data_dir, CredentialFiles files);

  // Each an error, or nothing.
  std::optional<std::string> take_up_identity();
  std::optional<std::string> check_level(const std::string& text) const;
  std::optional<std::string> listen();
  std::optional<std::string> start_transport();
  void make_store();
  void start_workers();
  void on_store_failed(const std::string& why);
  void tell_hub(HubCommand command);

  void reload_credentials();
  void reload_certificates();
  bool has_work_left() const;
  BrokerConfig broker_config();

  const ServeConfig& config_;
  Log& log_;
  const DataDir data_dir_;
  StoredState state_;
  std::vector<ListeningSocket> listening_;
  std::vector<std::unique_ptr<ListenerTransports>> transports_;
  ConnectionLedger ledger_;
  WorkerLoads loads_;
  FiguresBoard board_;
  ByteBudget arriving_;
  ByteBudget opening_;
  std::unique_ptr<FileCredentialDesk> credentials_;
  ScramMethods auth_methods_{*credentials_};
  SystemTopics system_topics_;  // the hub's thread alone
  std::unique_ptr<StateWriter> writer_;
  std::unique_ptr<HubThread> hub_;
  std::unique_ptr<HubStoreSink> store_sink_;
  std::unique_ptr<engine::StoreEngine> store_;
  std::unique_ptr<PeerTransport> transport_;
  std::optional<WorkerWorld> world_;
  const Instant started_at_ = mono_now();
  std::mutex failure_mutex_;  // of what follows
  bool has_failed_ = false;
  std::function<void()> told_of_failure_;
};

}  // namespace shoal
