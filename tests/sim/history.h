// What the simulated clients saw, told as records that the checkers judge. Times are the world's.
// A *chain* is one session as its client knows it: it begins with a CONNACK without Session Present
// and goes on over every reconnect that has it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shoal/types.h"

namespace shoal::sim {

// Of one publisher's messages `number` ascends in the order of their first transmission.
struct MessageKey {
  int publisher = 0;
  uint64_t number = 0;
  auto operator<=>(const MessageKey&) const = default;
};

struct Published {
  MessageKey key;
  std::string topic;
  Qos qos = Qos::k0;
  bool retain = false;
  Instant first_sent;
  std::optional<Instant> acked;  // PUBACK, or PUBREC, arrived
  std::string client_id;         // of its publisher, for No Local
  int chain = -1;                // the publisher's session when it last sent this
  // Sent with CONNECT, for the broker to publish. `acked`: when it was due.
  bool will = false;
};

struct Subscription {
  std::string filter;  // with "$share/NAME/" where shared
  Qos granted = Qos::k0;
  bool no_local = false;
  std::optional<Instant> suback;  // unset: asked for, not confirmed
  Instant asked;
  std::optional<Instant> ended;  // UNSUBSCRIBE was sent
};

struct Delivered {
  MessageKey key;
  Instant at;
  Qos qos = Qos::k0;
  bool dup = false;
  bool retain = false;
  uint64_t connection = 0;  // of the device
};

struct Chain {
  int client = 0;
  std::string client_id;
  Instant begun;
  std::vector<Subscription> subscriptions;
  std::vector<Delivered> deliveries;
  bool outlives_connection = false;  // it is durable: nothing excuses that any of it is lost
  bool inherited = false;  // begun by another device of this client id: it may have had some of it
  bool alive = true;       // neither ended by a new CONNACK nor by a close without session expiry
  bool connected = true;
};

inline bool has(const Chain& chain, const MessageKey& key) {
  return std::any_of(chain.deliveries.begin(), chain.deliveries.end(),
                     [&key](const Delivered& one) { return one.key == key; });
}

class History {
 public:
  Published& published(const MessageKey& key) { return published_.at(key); }
  void add(Published record) { published_.emplace(record.key, std::move(record)); }
  bool knows(const MessageKey& key) const { return published_.contains(key); }
  const std::map<MessageKey, Published>& all_published() const { return published_; }

  int begin_chain(Chain chain) {
    chains_.push_back(std::move(chain));
    return static_cast<int>(chains_.size()) - 1;
  }
  // The session that a client id had last, whichever device of that name began it; -1: none.
  int last_chain_of(const std::string& client_id) const {
    for (int i = static_cast<int>(chains_.size()) - 1; i >= 0; --i) {
      if (chains_[static_cast<size_t>(i)].client_id == client_id) return i;
    }
    return -1;
  }
  Chain& chain(int index) { return chains_[static_cast<size_t>(index)]; }
  const std::vector<Chain>& chains() const { return chains_; }
  // When anything came to anybody last.
  Instant last_delivery() const {
    Instant last{};
    for (const Chain& chain : chains_) {
      if (!chain.deliveries.empty()) last = std::max(last, chain.deliveries.back().at);
    }
    return last;
  }

  // Whether nodes may be given up with what they did last unknown to the others.
  void nodes_may_be_lost(bool lost) { may_lose_nodes_ = lost; }
  bool may_lose_nodes() const { return may_lose_nodes_; }

  // Whether what waits for an absent session may be dropped, counted, by a limit.
  void queues_may_overflow(bool may) { may_overflow_ = may; }
  bool may_overflow() const { return may_overflow_; }

  // A violation seen on the spot (a packet that must not come, for instance).
  void violation(std::string what) { violations_.push_back(std::move(what)); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  std::map<MessageKey, Published> published_;
  std::vector<Chain> chains_;
  std::vector<std::string> violations_;
  bool may_lose_nodes_ = false;
  bool may_overflow_ = false;
};

}  // namespace shoal::sim
