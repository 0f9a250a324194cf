#include "node/rules/match_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace shoal {
namespace {
constexpr size_t kSetsAtFirst = 64;
}

MatchCache::MatchCache(size_t topics_max, size_t bytes_max)
    : sets_(kSetsAtFirst),
      sets_max_(std::max(kSetsAtFirst, std::bit_ceil(topics_max / 4))),
      topics_max_(topics_max),
      bytes_max_(bytes_max) {}

MatchCache::~MatchCache() {
  for (Set& set : sets_) {
    for (Match*& match : set.ways) drop(match);
  }
}

uint32_t MatchCache::way_of(const Set& set, uint64_t hash, std::string_view topic) {
  const uint16_t tag = tag_of(hash);
  for (uint32_t way = 0; way < kWays; ++way) {
    if (set.tags[way] == tag && set.ways[way] != nullptr && set.ways[way]->topic() == topic) {
      return way;
    }
  }
  return kWays;
}

Match* MatchCache::find(uint64_t hash, std::string_view topic) {
  Set& set = set_of(hash);
  const uint32_t way = way_of(set, hash, topic);
  if (way == kWays) return nullptr;
  set.used_lately |= static_cast<uint8_t>(1 << way);
  return set.ways[way];
}

uint32_t MatchCache::way_to_give_up(Set& set) {
  for (uint32_t way = 0; way < kWays; ++way) {
    if (set.ways[way] == nullptr) return way;
  }
  for (;;) {
    const uint32_t way = set.hand;
    set.hand = static_cast<uint8_t>((way + 1) % kWays);
    if ((set.used_lately >> way & 1) == 0) return way;
    set.used_lately &= static_cast<uint8_t>(~(1 << way));
  }
}

void MatchCache::drop(Match*& match) {
  if (match == nullptr) return;
  bytes_ -= match->bytes();
  --topics_;
  MatchDeleter()(std::exchange(match, nullptr));
}

Match& MatchCache::put(MatchPtr made) {
  const uint64_t hash = made->hash_;
  Set* set = &set_of(hash);
  if (const uint32_t old = way_of(*set, hash, made->topic()); old != kWays) drop(set->ways[old]);
  drop_until_there_is_room(made->bytes());
  uint32_t way = way_to_give_up(*set);
  if (set->ways[way] != nullptr && ++given_up_ > sets_.size() / 16 && sets_.size() < sets_max_) {
    grow();
    set = &set_of(hash);
    way = way_to_give_up(*set);
  }
  drop(set->ways[way]);
  bytes_ += made->bytes();
  ++topics_;
  set->tags[way] = tag_of(hash);
  // Not yet "used": of topics that come once, none stands in the way of those that come again.
  set->used_lately &= static_cast<uint8_t>(~(1 << way));
  set->ways[way] = made.release();
  return *set->ways[way];
}

// Round after round, what was not used since the last. A match larger than all that is allowed stays
// as the only one: it is wanted now.
void MatchCache::drop_until_there_is_room(size_t bytes) {
  while (topics_ > 0 && (topics_ >= topics_max_ || bytes_ + bytes > bytes_max_)) {
    hand_ = (hand_ + 1) & (sets_.size() - 1);
    Set& set = sets_[hand_];
    for (uint32_t way = 0; way < kWays; ++way) {
      if ((set.used_lately >> way & 1) == 0) drop(set.ways[way]);
    }
    set.used_lately = 0;
  }
}

// Each set's matches go to two sets, so that they all find room.
void MatchCache::grow() {
  given_up_ = 0;
  std::vector<Set> old(sets_.size() * 2);
  std::swap(old, sets_);
  for (const Set& from : old) {
    for (uint32_t way = 0; way < kWays; ++way) {
      if (from.ways[way] == nullptr) continue;
      Set& to = set_of(from.ways[way]->hash_);
      const uint32_t room = way_to_give_up(to);
      to.tags[room] = from.tags[way];
      to.ways[room] = from.ways[way];
    }
  }
}

}  // namespace shoal
