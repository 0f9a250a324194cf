// Who has which client id (design: one client id, one connection). A claim is (client id, stamp); a
// CONNECT asks for one. It goes to every peer that can be heard; each evicts its own older claim
// (connection and stored session) and answers when that is done, or answers that it has a later one.
// What a peer that cannot be heard still has is settled when it is back: both sides of a new session
// tell all their claims, and the later of two wins.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include "cluster/core/context.h"
#include "cluster/core/pair.h"
#include "shoal/peers.h"

namespace shoal {

class Claims {
 public:
  // `peers`: those with an open session.
  Claims(Context& context, std::function<std::vector<Pair*>()> peers)
      : context_(context), peers_(std::move(peers)) {}

  // ---- workers
  void on_request(WorkerIndex from, ClaimRequest&& request, bool available);
  void on_release(const ClaimRelease& release);
  void on_evicted(const EvictDone& done);
  // All workers have closed all connections and forgotten all sessions.
  void on_all_closed();

  // ---- peers; false: the peer breaks the protocol
  void on_open(Pair& pair);
  void on_end(const Pair& pair);
  bool on_claim(Pair& pair, const proto::Claim& claim);
  bool on_claims(Pair& pair, const proto::Claims& claims);
  bool on_reply(Pair& pair, const proto::ClaimReply& reply);
  // Peers that fell silent are not waited for any longer.
  void on_tick();

  size_t count() const { return held_.size(); }

 private:
  struct Held {
    Stamp stamp;
    WorkerIndex worker = 0;
  };
  // A CONNECT that waits.
  struct Pending {
    ConnId conn;
    WorkerIndex worker = 0;
    Stamp stamp;
    bool clean_start = false;
    std::set<NodeId> waits;     // peers that have not answered
    bool waits_for_us = false;  // the older claim of another worker is being evicted
  };
  struct OwedReply {
    NodeId peer;
    uint64_t counter = 0;
  };

  bool is_heard(const Pair& pair) const;
  void ask_peers(const std::string& client_id, Pending& pending);
  void evict(const std::string& client_id, const Held& held, bool clean_start);
  void answer(const std::string& client_id, const Pending& pending, ClaimAnswer::Outcome outcome,
              WorkerIndex worker = 0);
  void supersede(const std::string& client_id);
  void grant_if_free(const std::string& client_id);
  void forget(const std::string& client_id, const Stamp& stamp);
  // Makes room for a peer's claim; true when nothing of ours is in its way any more.
  bool give_way(const std::string& client_id, const Stamp& theirs, bool clean_start,
                uint64_t& later_counter);
  void reply(Pair& pair, const std::string& client_id, uint64_t counter, uint64_t later_counter);
  void pay_replies(const std::string& client_id);

  Context& context_;
  const std::function<std::vector<Pair*>()> peers_;
  absl::flat_hash_map<std::string, Held> held_;
  std::map<std::string, Pending> pending_;
  std::map<std::string, std::vector<OwedReply>> owed_;
};

}  // namespace shoal
