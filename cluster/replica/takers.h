// Who shares in what a group of this shard holds: members say how much room they have, and what the
// group holds is taken for them in fair portions.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/shard/entry.h"
#include "cluster/shard/shard_state.h"

namespace shoal::replica {

class Takers {
 public:
  void clear();
  void on_want(const std::string& group, const std::string& client_id, uint32_t room);
  void on_filled(const std::string& group) { noted_.insert(group); }
  void on_tick();
  // The entries up to this number of this leader's are applied.
  void on_applied(uint64_t entries);

  struct Take {
    std::string group;
    std::string client_id;
    shard::OpPlace version = 0;
    uint32_t count = 0;
  };
  // What to take now; it will be in this leader's entry number `entry`.
  std::vector<Take> pump(const shard::ShardState& state, uint64_t entry);

 private:
  struct Want {
    uint32_t room = 0;
    int ticks = 0;
  };
  struct Taking {
    uint64_t entry;
    uint32_t count;
  };
  struct Group {
    std::map<std::string, Want> wants;
    std::string last;           // who was given last
    std::deque<Taking> taking;  // in entries that are not applied yet
  };
  void share(const shard::ShardState& state, const std::string& name, Group& group, uint64_t entry,
             std::vector<Take>& out);

  std::map<std::string, Group> groups_;
  std::set<std::string> noted_;
};

}  // namespace shoal::replica
