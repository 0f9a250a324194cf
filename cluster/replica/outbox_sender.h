// The leader's side of a shard's outbox: what is in it goes to its targets in ascending order, again
// until they have answered, and is then done.
//
// An item goes out only when the targets of all before it are known: each target drops numbers that
// are not above the highest that it had. A large one goes in pieces before, a few on their way at a time,
// and what is behind it for that target waits.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/replica/server_effects.h"
#include "cluster/shard/shard_state.h"

namespace shoal::replica {

class OutboxSender {
 public:
  OutboxSender(uint32_t shard, uint32_t shards, uint64_t cluster_seed)
      : shard_(shard), shards_(shards), cluster_seed_(cluster_seed) {}

  void clear();

  void on_targets(uint64_t number, uint64_t shards);
  void on_published(uint64_t number);
  struct Answer {
    uint64_t number = 0;
    bool accepted = false;
    std::optional<uint64_t> received = {};  // of a piece: so many bytes are there
  };
  void on_answer(uint32_t from, const Answer& answer);
  void on_shard_leader(uint32_t shard);
  void on_tick();
  // Of the items first..last, one that says who shares is not answered.
  bool has_membership(uint64_t first, uint64_t last) const;

  // Reads what is new, if it `reads`, sends what may go, and says which numbers are done.
  struct Pumped {
    std::vector<uint64_t> done;
    std::vector<std::string> members;  // who began to share, came or went
  };
  Pumped pump(const shard::ShardState& state, ServerEffects& out, bool reads = true);

 private:
  struct Item {
    bool is_membership = false;
    bool is_known = false;  // who is to have it
    bool is_sent = false;   // to shards
    bool is_published =
        false;  // to live sessions and shared subscriptions, or it is none of theirs
    std::set<uint32_t> targets;  // shards
    std::set<uint32_t> waiting;  // for these
  };
  struct Target {
    std::deque<uint64_t> next;  // to be sent, in order
    uint64_t there = 0;         // bytes of the first one's payload that it has,
    uint64_t given = 0;         // and that went out
    std::set<uint64_t> unanswered;
    bool again = false;
    int ticks = 0;  // since anything came from it, while something is unanswered
  };

  void read(const shard::ShardState& state, ServerEffects& out, Pumped& pumped);
  uint64_t least(const shard::ShardState& state);
  void send_next(const shard::ShardState& state, uint32_t shard, Target& target,
                 ServerEffects& out);
  void send(shard::OutboxMessage& item, uint32_t shard, uint64_t previous, ServerEffects& out);
  // True: all of them are there.
  bool send_pieces(const shard::ShardState& state, const shard::OutboxMessage& item, uint32_t shard,
                   Target& target, ServerEffects& out);
  static void take_back(Target& target);
  static void on_received(Target& target, const Answer& answer);

  const uint32_t shard_;
  const uint32_t shards_;
  const uint64_t cluster_seed_;
  uint64_t read_to_ = 0;
  std::map<uint64_t, Item> items_;
  std::set<uint64_t> done_;  // and not known to be out of the state
  std::map<uint32_t, Target> targets_;
};

}  // namespace shoal::replica
