// The matches of recently used topics. A hash chooses a set of six places, which lie in one cache
// line; a full set gives up one that was not used lately. The number of sets grows with use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "node/rules/match.h"

namespace shoal {

class MatchCache {
 public:
  MatchCache(size_t topics_max, size_t bytes_max);
  ~MatchCache();
  MatchCache(const MatchCache&) = delete;
  MatchCache& operator=(const MatchCache&) = delete;

  // Null: not there. It may be out of date.
  Match* find(uint64_t hash, std::string_view topic);
  // In place of the match of the same topic, if one is there; that one, or others, are gone then.
  Match& put(MatchPtr match);

  size_t topics() const { return topics_; }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kWays = 6;

  struct alignas(64) Set {
    std::array<uint16_t, kWays> tags{};
    uint8_t used_lately = 0;  // bits
    uint8_t hand = 0;         // the next to be looked at when one must go
    std::array<Match*, kWays> ways{};
  };

  Set& set_of(uint64_t hash) { return sets_[hash & (sets_.size() - 1)]; }
  static uint16_t tag_of(uint64_t hash) { return static_cast<uint16_t>(hash >> 48); }
  // Its place in the set; kWays: not there.
  static uint32_t way_of(const Set& set, uint64_t hash, std::string_view topic);
  static uint32_t way_to_give_up(Set& set);
  void drop(Match*& match);
  void drop_until_there_is_room(size_t bytes);
  void grow();

  std::vector<Set> sets_;
  const size_t sets_max_;  // with four of six places taken the cache is full, and few sets are
  const size_t topics_max_;
  const size_t bytes_max_;
  size_t topics_ = 0;
  size_t bytes_ = 0;
  size_t given_up_ = 0;  // since the last growth, for lack of room in a set
  size_t hand_ = 0;      // where to look next for what can go when there is too much
};

}  // namespace shoal
