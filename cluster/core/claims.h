// Who has a client id. Each hub knows the claims of its own workers only; a new claim goes to every
// peer, which evicts its own older one and answers when that is done, or answers that its own is
// later. A claim is granted when all that are waited for have answered: so at that moment nobody
// else has the id. Stamps decide between claims that know nothing of each other, after a partition
// or in a race: the later wins wherever the two meet. Who is another user than the one whose stored
// session is connected evicts nobody: the worker that has the connection refuses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>
#include "cluster/core/context.h"
#include "cluster/core/pair.h"
#include "shoal/peers.h"

namespace shoal {

class Claims {
 public:
  struct Surroundings {
    std::function<std::vector<Pair*>()> open_pairs;
    std::function<std::set<NodeId>()> asked;  // peers whose answer a claim needs now
    std::function<Pair*(NodeId)> reachable;   // null for one that is not heard
    // Nothing of the client id is stored, for sure.
    std::function<bool(const std::string& client_id)> is_nothing_stored;
  };
  Claims(Context& context, Surroundings around);

  // ---- workers
  // `refusal`: the answer, where this node takes no clients.
  void on_request(WorkerIndex worker, const ClaimRequest& request,
                  std::optional<ClaimAnswer::Outcome> refusal);
  void on_withdraw(WorkerIndex worker, const ClaimWithdraw& withdraw);
  void on_release(WorkerIndex worker, const ClaimRelease& release);
  void on_move(WorkerIndex to, const ClaimMove& move);
  void on_evict_done(WorkerIndex worker, const EvictDone& done);
  void on_evict_refused(WorkerIndex worker, const EvictRefused& refused);
  // Fewer peers may be waited for.
  void check_waits();
  // Who has waited long is told to go elsewhere.
  void on_tick();

  // ---- peers
  void on_open(Pair& pair);
  void on_end(const Pair& pair);
  void pump(Pair& pair);
  // False: the peer breaks the protocol.
  bool on_peer_claim(Pair& pair, const proto::Claim& claim);
  bool on_peer_claims(Pair& pair, const proto::Claims& claims);
  void on_reply(const Pair& pair, const proto::ClaimReply& reply);

  uint64_t count() const { return holders_.size(); }

 private:
  // A granted claim of this node. Small: there is one for each client.
  struct Holder {
    uint64_t counter = 0;
    WorkerIndex worker = 0;
    bool is_evicting = false;
  };
  // A connection here that wants the id.
  struct Wanted {
    WorkerIndex worker = 0;
    ConnId conn;
    std::string user;
    bool is_volatile = false;
  };
  // The last of them waits for its claim; the others lose when it is granted, and come again when it
  // is withdrawn: workers are read in any order after the node stood still, and the last request may
  // be of a connection that its client left before.
  struct Request {
    Wanted wanted;
    std::vector<Wanted> earlier;
    Stamp stamp;
    bool waits_for_holder = false;  // another worker here, or an eviction under way
    std::set<NodeId> waits_for;
    std::set<NodeId> told;
    Instant since{};
  };
  // A peer that waits for an eviction here.
  struct Asking {
    NodeId peer;
    uint64_t counter;
    std::optional<std::string> user;
  };

  void ask(const std::string& client_id, const Wanted& wanted, std::vector<Wanted> earlier);
  void answer(const std::string& client_id, const Wanted& wanted, ClaimAnswer::Outcome outcome);
  void grant(const std::string& client_id, const Wanted& wanted, const Stamp& stamp);
  // All connections here that want the id.
  void refuse(const std::string& client_id, ClaimAnswer::Outcome outcome);
  // Gives up the request at hand: who wanted the id before it asks again.
  void go_on_without(std::map<std::string, Request>::iterator request);
  void refuse_user(const std::string& client_id);
  using User = std::optional<std::string>;
  void evict(const std::string& client_id, Holder& holder, const User& user);
  void on_holder_gone(const std::string& client_id);
  bool check(const std::string& client_id);
  void reply(Pair& pair, const std::string& client_id, uint64_t counter, uint64_t later);
  void reply_refused(Pair& pair, const std::string& client_id, uint64_t counter);
  void tell(const std::string& client_id, Request& request);
  proto::Claim message_of(const std::string& client_id, const Request& request) const;

  Context& context_;
  const Surroundings around_;
  // Sorted, so that a peer can be told all of them in portions.
  absl::btree_map<std::string, Holder> holders_;
  std::map<std::string, Request> requests_;
  std::map<std::string, std::vector<Asking>> asking_;
  std::map<NodeId, std::string> telling_;  // peers that still get the claims: after which
};

}  // namespace shoal
