// What a worker holds of a session whose state is in the store, beside what every session has: as much
// as one connection needs. And what waits for the store's answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "node/broker/pending_suback.h"
#include "node/broker/ring.h"
#include "node/broker/stored_window.h"
#include "node/broker/tickets.h"
#include "node/codec/reason_code.h"
#include "node/rules/subscription.h"
#include "shoal/message.h"
#include "shoal/session_store.h"
#include "shoal/types.h"

namespace shoal {

// A QoS 2 PUBLISH that is not the store's yet. What it retains is written before: so of an identifier
// that the store knows, it is written, and is not written again when its PUBLISH is repeated. Those behind
// it wait, since the store is to have them in their order.
struct PendingReceive {
  Ticket* ticket = nullptr;
  MessageRef message;
  uint64_t retaining = 0;  // the number of its RetainWrite; 0: none, or done
};

struct Durable {
  SessionEpoch epoch = 0;
  std::string user;  // as the store knows it: it lets nobody else connect
  // Subscriptions and messages are the store's. If not, its will alone is, and the session a live one.
  bool stored = false;
  bool present = false;  // there was a session: for CONNACK
  bool has_live_qos =
      false;  // had a subscription at QoS 0: there may be messages that it gets live
  bool news_listed = false;
  StoredWindow window;
  std::vector<SessionAck::One> acks;  // not told to the store yet
  uint64_t passed = 0;  // number of the last message that left `window`'s waiting ones
  uint64_t passed_told = 0;
  // Its shared subscriptions, which the worker's router does not have.
  absl::btree_map<std::string, SubscriptionOptions, std::less<>> shared;
  Ring<PendingSubAck> subacks;  // for the store; in the order of their numbers
  // QoS 2 identifiers from the client that are not released: in the store, or on their way to it.
  absl::flat_hash_set<uint16_t> received;
  Ring<PendingReceive> receives;
  // Filters of SUBSCRIBEs that wait: the number of the last one that has it.
  absl::btree_map<std::string, uint64_t, std::less<>> changing;
};

// ---- who waits for a SessionDone ----------------------------------------------------------------------

struct WaitingTicket {
  Ticket* ticket = nullptr;
};
struct WaitingSubAck {};  // Durable::subacks has it
struct WaitingUnsubAck {
  uint16_t packet_id = 0;
  std::vector<ReasonCode> reasons;
};
struct WaitingPubrels {
  std::vector<uint64_t> messages;  // whose PUBREC is among the acknowledgements
};
struct WaitingPubcomp {
  uint16_t packet_id = 0;
};

struct StoreWait {
  ConnId conn;
  std::variant<WaitingTicket, WaitingSubAck, WaitingUnsubAck, WaitingPubrels, WaitingPubcomp> what;
};

// Numbers what is sent to the store, and knows who waits for it.
class StoreNumbers {
 public:
  uint64_t next() { return ++last_; }
  void expect(uint64_t number, StoreWait wait) { waits_.emplace(number, std::move(wait)); }
  // False: nobody waits for it.
  bool take(uint64_t number, StoreWait& wait) {
    const auto found = waits_.find(number);
    if (found == waits_.end()) return false;
    wait = std::move(found->second);
    waits_.erase(found);
    return true;
  }
  std::vector<StoreWait> take_all() {
    std::vector<uint64_t> numbers;
    for (const auto& [number, wait] : waits_) numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    std::vector<StoreWait> all(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) take(numbers[i], all[i]);
    return all;
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [number, wait] : waits_) visit(wait);
  }

 private:
  uint64_t last_ = 0;
  absl::flat_hash_map<uint64_t, StoreWait> waits_;
};

// ---- CONNACKs -------------------------------------------------------------------------------------------

// A CONNACK that waits until all places have the routes of the session that goes on.
struct PendingConnAck {
  ConnId conn;
  uint64_t batch = 0;  // RouteBatch that must be synced
};

}  // namespace shoal
