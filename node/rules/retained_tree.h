// The retained messages of one node: each topic's newest, by stamp (5.0: 3.3.1.3). A removed one
// leaves a tombstone for a while, so that a node that was away cannot bring it back.
//
// One sorted set in level order: a tree of levels would take several times the memory, and saves
// only the logarithm of a search (topic_scan.h). Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include "node/rules/topic_scan.h"
#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

class RetainedTree {
 public:
  struct Options {
    Duration tombstone_age = Duration::seconds(24 * 3600);
    size_t tombstones_max = 1'000'000;  // put() lets the oldest above it go early
  };
  // Of a message with an empty payload: the tombstone of its topic.
  struct Item {
    MessageRef message;
    Stamp stamp;
  };
  struct Portion {
    std::vector<MessageRef> messages;  // in level order
    bool done = false;                 // there are no more
    // Where to go on if not. It is the last message's topic, or lies behind it: a portion may
    // also end, even without a message, because it looked at enough topics.
    std::string after;
  };
  struct PortionLimits {
    size_t messages = 100;
    size_t bytes = 256 * 1024;  // one message at least
    size_t steps = 2'000;       // topics looked at, each about a microsecond
  };

  RetainedTree() = default;
  explicit RetainedTree(const Options& options) : options_(options) {}

  // An empty payload removes [MQTT5-3.3.1-6] [MQTT311-3.3.1-10]. False: what is there has this
  // stamp or a higher one, and stays.
  bool put(MessageRef message, Stamp stamp, Instant now);
  // Null: none, or it is expired.
  MessageRef find(std::string_view topic, Instant now) const;
  // Of the message or the tombstone; {} without either.
  Stamp stamp_of(std::string_view topic) const;

  // The messages that a plain filter matches, of topics behind `after` (empty: from the beginning).
  // A topic comes at most once over the portions of a query, also when it changes meanwhile.
  Portion match(std::string_view filter, std::string_view after, const PortionLimits& limits,
                Instant now);
  // All messages and tombstones behind `after`, for a peer: at least one, until there are none.
  std::vector<Item> items(std::string_view after, size_t items_max, size_t bytes_max) const;

  // Looks at up to `items` more: expired ones become tombstones, old tombstones go.
  void sweep(Instant now, size_t items);
  // Topics whose tombstone went since the last call: nothing is known of them any more.
  std::vector<std::string> take_forgotten() { return std::exchange(forgotten_, {}); }

  size_t messages() const { return set_.size() - tombstones_; }
  size_t tombstones() const { return tombstones_; }
  // Of all messages and tombstones.
  size_t bytes() const { return bytes_; }
  // Alike on two nodes that hold the same messages with the same stamps, in whatever order they
  // came. Tombstones do not count, expired messages only until they are swept.
  uint64_t digest() const { return digest_; }

 private:
  struct Less {
    using is_transparent = void;
    static std::string_view topic(const Item& item) { return item.message->topic(); }
    static std::string_view topic(std::string_view topic) { return topic; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return compare_topics(topic(a), topic(b)) < 0;
    }
  };
  using Set = absl::btree_set<Item, Less>;
  // A removal, to be forgotten if it still holds then.
  struct Removal {
    Item item;
    Instant forget_at;
  };

  static bool is_tombstone(const Item& item) { return item.message->payload().empty(); }
  void count(const Item& item, bool in);
  Item& replace(Set::iterator at, Item item);
  void entomb(Set::iterator at, Instant now);
  void remember_removal(const Item& item, Instant now);
  void forget_oldest_removal();

  Options options_;
  Set set_;
  std::deque<Removal> removals_;  // oldest first
  std::vector<std::string> forgotten_;
  std::string sweep_at_;
  size_t tombstones_ = 0;
  size_t bytes_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace shoal
