// The retained messages of the cluster, all of them on every node. A write is stamped here, applied
// here, sent to all peers, and done when all that are waited for have it.
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

  void on_hub_write(std::function<void(uint64_t number)> done) { hub_done_ = std::move(done); }

  // ---- workers
  void on_write(WorkerIndex worker, RetainWrite&& write);
  void on_query(WorkerIndex worker, RetainedQuery&& query);
  // Fewer peers may be needed.
  void check_waits();
  void on_tick();

  // ---- peers
  void on_open(Pair& pair);
  void on_end(const Pair& pair);
  void on_digest(Pair& pair, uint64_t digest);
  // A write whose node died before it told all is with some only: found when the digests stay as they
  // are and differ.
  void on_heartbeat(Pair& pair, uint64_t digest);
  void on_wanted(Pair& pair);
  // False: the peer breaks the protocol.
  bool on_parcel(Pair& pair, RetainedParcel&& parcel);
  // The peer has the write that was sent with this token.
  void on_acked(const Pair& pair, uint64_t token);
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
