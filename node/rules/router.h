// The subscriptions and routes of one worker: who gets a message of a topic, and which filters the
// other places must know about. Pure; one thread.
//
// Filters are taken as well-formed: the codec has checked a client's, the sender's broker a peer's.
// One that is not only fails to match, so a hostile peer gains nothing.
//
// Where MQTT asks for more than the router does: Retain Handling and the retained messages,
// the tickets of forwards and the limits of a session are the broker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "node/rules/match.h"
#include "node/rules/shared_group.h"
#include "node/rules/subscription.h"
#include "shoal/peers.h"
#include "shoal/types.h"

namespace shoal {

struct SubscribeResult {
  // The session had this filter: its options are replaced [MQTT5-3.8.4-3] [MQTT311-3.8.4-3].
  bool existed = false;
  // The next take_route_changes() has this filter. If not, an earlier one told the others.
  bool announces = false;
};

class Router {
 public:
  struct Options {
    WorkerIndex worker = 0;  // of this router: no route may name {kSelf, worker}
    uint64_t seed = 0;       // of the hashes, so that nobody outside can choose topics that collide
    size_t cached_topics_max = 64 * 1024;
    size_t cached_bytes_max = 64 * 1024 * 1024;
  };
  struct Counts {
    size_t filters = 0;        // that anybody wants, here or elsewhere
    size_t subscriptions = 0;  // of sessions here
    size_t shared_groups = 0;
    uint64_t matches = 0;  // calls of match() since the start
    uint64_t matches_cached = 0;
    size_t cached_topics = 0;
    size_t cached_bytes = 0;
  };

  explicit Router(const Options& options);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // ---- sessions of this worker

  // `filter` may be "$share/NAME/FILTER": then the session becomes a member of that group.
  SubscribeResult subscribe(SessionIndex session, std::string_view filter,
                            const SubscriptionOptions& options);
  // False: there was none [MQTT5-3.11.3-2].
  bool unsubscribe(SessionIndex session, std::string_view filter);
  // The session ended: all its subscriptions go.
  void drop_session(SessionIndex session);
  uint32_t subscription_count(SessionIndex session) const;
  bool has_subscription(SessionIndex session, std::string_view filter) const;
  std::optional<SubscriptionOptions> subscription(SessionIndex session,
                                                  std::string_view filter) const;
  // In no particular order. `visit` changes nothing here.
  void for_each_subscription(
      SessionIndex session,
      const std::function<void(std::string_view filter, const SubscriptionOptions&)>& visit) const;

  // As a member of shared subscriptions it is to be picked last, or as any other. One that it joins
  // later does not know.
  void set_slow(SessionIndex session, bool slow);

  // ---- routes

  // The filters whose weight for this worker is another than at the last call, each once; in the
  // order in which they began to differ.
  std::vector<RouteChange> take_route_changes();
  void apply(const PlacedRoute& route);
  // All routes of a node that is gone. Walks all filters.
  void drop_node(NodeSlot node);

  // ---- messages

  // `topic` has no wildcard. The result, and the groups it names, may be read until the next
  // match(): what changes meanwhile shows in later matches.
  const Match& match(std::string_view topic);
  // By the whole "$share/NAME/FILTER"; null when nobody has it. Void after the next change.
  SharedGroup* find_group(std::string_view filter);

  Counts counts() const;
  // Walks everything: for tests.
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal
