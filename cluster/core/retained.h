// The retained messages of the cluster, all of them on every node, in memory and on disk. A write is
// stamped here, applied here, sent to all peers, and done when it is durable here and at all that are
// waited for (docs/decisions/0002-retained-messages.md).
//
// A node that was away for longer than a tombstone lives would bring back what was removed meanwhile: it
// begins with nothing. So each copy says as of when it is complete.
//
// When a session begins, each side tells its digest; where they differ each asks for the other's whole
// copy, a node one copy at a time: what it has from the first makes the digests of the others equal.
// Stamps decide what stays. Queries wait until a copy is complete.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "cluster/core/pair.h"
#include "node/rules/retained_tree.h"
#include "shoal/peers.h"

namespace shoal {

class Retained {
 public:
  // As the worker of a write: the hub itself, told by on_hub_write().
  static constexpr WorkerIndex kHub = kWorkersMax;
  // `needed`: nodes without which a write is not done now.
  Retained(Context& context, Forwarding& forwarding, std::function<std::vector<Pair*>()> open_pairs,
           std::function<std::set<NodeId>()> needed);

  // Before all else; without it nothing is durable, and nothing waits for that.
  void keep_on_disk() { is_durable_ = true; }
  void on_loaded(StoredRetained&& stored);
  void on_written(uint64_t number);

  void on_hub_write(std::function<void(uint64_t number)> done) { hub_done_ = std::move(done); }

  // ---- workers
  void on_write(WorkerIndex worker, RetainWrite&& write);
  void on_query(WorkerIndex worker, RetainedQuery&& query);
  // Fewer peers may be needed.
  void check_waits();
  // `is_complete`: no write is acknowledged without this node now.
  void on_tick(bool is_complete);

  // ---- peers
  void on_open(Pair& pair);
  void on_end(const Pair& pair);
  void on_digest(Pair& pair, uint64_t digest, int64_t as_of_ms);
  // A write whose node died before it told all is with some only: found when the digests stay as they
  // are and differ.
  void on_heartbeat(Pair& pair, uint64_t digest);
  void on_wanted(Pair& pair);
  // False: the peer breaks the protocol.
  bool on_parcel(Pair& pair, RetainedParcel&& parcel);
  // The write that was sent to it with this token is durable there.
  void on_stored(const Pair& pair, uint64_t token);
  // Next portions of a copy.
  void pump(Pair& pair);

  // A copy is still to come.
  bool is_copying() const { return !to_copy_.empty(); }
  const RetainedTree& tree() const { return tree_; }
  RetainedTree::Portion match(std::string_view filter, std::string_view after, Now now) {
    return tree_.match(filter, after, {}, now.mono);
  }
  uint64_t dropped() const { return dropped_; }

 private:
  struct Write {
    WorkerIndex worker;
    uint64_t number;
    MessageRef message;
    Stamp stamp;
    std::set<NodeId> waits_for;
    uint64_t disk = 0;  // and for this write of ours
  };
  // Of a peer, to be told when it is durable here.
  struct Owed {
    uint64_t disk = 0;
    NodeId peer;
    uint64_t token = 0;
  };
  // Digests that differ, ours and the peer's, since how many heartbeats.
  struct Compared {
    uint64_t own = 0;
    uint64_t peer = 0;
    int heartbeats = 0;
  };
  struct Query {
    WorkerIndex worker;
    RetainedQuery query;
  };
  void put(const MessageRef& message, const Stamp& stamp);
  void write(HubEffects::RetainedWrite&& effect);
  void compare(Pair& pair, uint64_t digest);
  bool is_done(const Write& write) const {
    return write.waits_for.empty() && write.disk <= written_;
  }
  void send(Pair& pair, const MessageRef& message, const Stamp& stamp, uint64_t token);
  void tell_done(WorkerIndex worker, uint64_t number);
  void finish(std::map<uint64_t, Write>::iterator write);
  // False: it goes on with the next tick.
  bool answer(Query& query);
  void answer_queries();
  void copy_next();

  Context& context_;
  Forwarding& forwarding_;
  std::function<std::vector<Pair*>()> open_pairs_;
  std::function<std::set<NodeId>()> needed_;
  std::function<void(uint64_t)> hub_done_;
  RetainedTree tree_;
  bool is_durable_ = false;
  bool is_complete_ = false;
  int64_t as_of_ms_ = 0;
  Instant next_as_of_{};
  uint64_t last_write_ = 0;  // asked for
  uint64_t written_ = 0;     // and durable
  std::deque<Owed> owed_;
  uint64_t last_token_ = 0;
  std::map<uint64_t, Write> writes_;          // not done, by token
  std::deque<Query> queries_;                 // not answered yet
  std::map<NodeId, std::string> copying_to_;  // behind which topic the copy for it goes on
  std::map<NodeId, uint64_t> to_copy_;        // digests of those whose copy is still to come
  std::map<NodeId, Compared> compared_;
  NodeId copying_from_;
  int ends_left_ = 0;  // of the lanes of that copy
  uint64_t dropped_ = 0;
};

}  // namespace shoal
