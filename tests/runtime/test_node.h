// Workers with listeners of every kind on loopback, and clients that speak to them in bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/log.h"
#include "node/runtime/file_descriptor.h"
#include "node/runtime/listening_socket.h"
#include "node/runtime/worker.h"
#include "tests/runtime/one_node_hub.h"

namespace shoal {

// Lets everyone in, at once.
class OpenDesk final : public CredentialDesk {
 public:
  std::optional<CredentialAnswer> check(CredentialCheck&& check, Worker&) override {
    last_address = check.address;
    last_identity = check.tls_identity;
    return CredentialAnswer();
  }
  std::string last_address;  // of one client at a time
  std::string last_identity;
};

class TestNode {
 public:
  struct Options {
    int workers = 1;
    Limits limits;
    uint32_t connections_max = 0;
    // By listener; a plain one each if it is empty.
    std::vector<decltype(WorkerListener::make_transport)> transports;
    std::vector<size_t> behind_balancer;  // which of the listeners
  };
  explicit TestNode(Options options);
  ~TestNode();

  uint16_t port(size_t listener = 0) const { return sockets_[listener].port; }
  Worker& worker(size_t index) { return *world_.workers[index]; }
  OpenDesk& desk() { return desk_; }
  ConnectionLedger& ledger() { return ledger_; }
  Log& log() { return log_; }
  uint64_t turns() const { return board_.all()[0].runtime.turns; }  // of the first worker
  // Runs on a worker's thread; returns when it is done.
  void on_worker(size_t index, const std::function<void(Worker&)>& task);

 private:
  std::vector<ListeningSocket> sockets_;
  OneNodeHub hub_;
  OpenDesk desk_;
  ConnectionLedger ledger_;
  WorkerLoads loads_;
  FiguresBoard board_;
  Log log_;
  WorkerWorld world_;
};

class TestClient {
 public:
  explicit TestClient(uint16_t port);
  explicit TestClient(FileDescriptor fd) : fd_(std::move(fd)) {}

  void send(std::string_view bytes);
  // Exactly so many bytes, or what came until the other side closed; fails the test after seconds.
  std::string receive(size_t size);
  bool is_closed();  // waits for it
  int fd() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
};

// MQTT 3.1.1 packets.
std::string connect_packet(std::string_view client_id);
std::string subscribe_packet(std::string_view filter);
std::string publish_packet(std::string_view topic, std::string_view payload);
extern const std::string kConnack;
extern const std::string kPing;
extern const std::string kPong;
extern const std::string kSuback;

}  // namespace shoal
