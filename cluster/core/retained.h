// The retained messages of this node, and how all nodes come to hold the same: a write is stamped
// here, stored, and sent to every peer; when a session begins, sides whose digests differ send each
// other all they have, tombstones included, and by the stamps the newest of each topic stays.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "cluster/core/pair.h"
#include "node/rules/retained_tree.h"
#include "shoal/peers.h"

namespace shoal {

class Retained {
 public:
  Retained(Context& context, Forwarding& forwarding, std::function<std::vector<Pair*>()> peers)
      : context_(context), forwarding_(forwarding), peers_(std::move(peers)) {}

  // ---- workers
  void on_write(WorkerIndex from, const RetainWrite& write);
  void on_query(WorkerIndex from, const RetainedQuery& query);

  // ---- peers; false: the peer breaks the protocol
  void on_open(Pair& pair);
  void on_end(const Pair& pair) { sending_.erase(pair.id()); }
  bool on_digest(Pair& pair, const proto::RetainedDigest& digest);
  void on_wanted(Pair& pair);
  bool on_parcel(const RetainedParcel& parcel);
  // A peer has a write, or is gone.
  void on_token(uint64_t token);
  // Sends on what was asked for, as far as the lanes have room; forgets what is over.
  void on_tick();

  const RetainedTree& tree() const { return tree_; }
  uint64_t dropped() const { return dropped_; }

 private:
  struct Write {
    WorkerIndex worker = 0;
    uint64_t number = 0;
    int waits = 0;  // peers
  };

  void send(Pair& pair, const MessageRef& message, const Stamp& stamp, uint64_t token);
  void pump(Pair& pair);

  Context& context_;
  Forwarding& forwarding_;
  const std::function<std::vector<Pair*>()> peers_;
  RetainedTree tree_;
  std::map<uint64_t, Write> writes_;  // by token
  uint64_t last_token_ = 0;
  std::map<NodeId, std::string> sending_;  // the last topic sent of all that a peer asked for
  uint64_t dropped_ = 0;
};

}  // namespace shoal
