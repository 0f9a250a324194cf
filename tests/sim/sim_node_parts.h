// What a SimNode is made of, for its own files.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tests/sim/sim_node.h"

namespace shoal::sim {

// A client's connection as the node's kernel and worker hold it.
struct SimNode::ServerEnd {
  SimClient* client = nullptr;
  uint64_t connection = 0;
  uint64_t life = 0;
  int worker = 0;
  ConnId conn;
  bool accepted = false;
  bool closed = false;   // the client or the network closed it
  bool closing = false;  // the broker asked for it, output first
  bool paused = false;   // the broker does not read
  bool pumping = false;
  std::deque<std::vector<uint8_t>> arrived;  // its worker has not looked yet
  std::vector<uint8_t> unread;               // arrived while paused
  size_t on_way = 0;                         // bytes to the client
  Duration latency;                          // of the way between device and node, mostly
  Instant last_to_server, last_to_client;
};

struct SimNode::Process {
  struct Thread {
    std::deque<Task> inbox;
    std::deque<Task> sockets;  // of clients; nobody says which of the two is looked at first
    bool empty() const { return inbox.empty() && sockets.empty(); }
    bool scheduled = false;
    bool is_to_be_checked = false;
    bool due = false;  // its turn came while the node was frozen
  };

  std::unique_ptr<Hub> hub;
  std::vector<std::unique_ptr<Broker>> brokers;
  std::map<int, Thread> threads;
  std::map<ConnKey, std::shared_ptr<ServerEnd>> connections;
};

// The client's end.
struct SimNode::Port final : ClientPort {
  Port(SimNode& node, std::shared_ptr<ServerEnd> end) : node(node), end(std::move(end)) {}

  Instant arrival() {
    World& world = node.world_;
    end->last_to_server =
        std::max(end->last_to_server, world.now() + world.long_tailed(end->latency));
    return end->last_to_server;
  }

  void send(std::vector<uint8_t> bytes) override {
    node.world_.at(arrival(), [this_node = &node, end = end, bytes = std::move(bytes)]() mutable {
      if (end->life != this_node->life_ || !this_node->is_up()) return;
      end->arrived.push_back(std::move(bytes));
      this_node->post_socket(end, [this_node, end](Now now) { this_node->take_arrived(end, now); });
    });
  }

  void close() override {
    end->client = nullptr;
    node.world_.at(arrival(), [this_node = &node, end = end] { this_node->client_closed(end); });
  }

  SimNode& node;
  std::shared_ptr<ServerEnd> end;
};

}  // namespace shoal::sim
