// Three steps, each of the two kinds that follow: shares say how many, a matching says which.
//
//   1  zones: of each shard a zone has `base` or base + 1 replicas; shares by weight say how often one more
//   2  nodes of a zone: shares by weight of what the zone has in all
//   3  which shards a zone has one more of, and which of its shards a node has: matchings
//
// A matching exists each time: all shards ask for the same number, or for one more than others, and no
// share is above the number of shards (Gale and Ryser).
//
// Shares are given one after the other to whoever has least for its weight (Sainte-Laguë): with a node more
// nobody's share grows. All arithmetic is in whole numbers, as all nodes must come to the same.
#include "cluster/core/placement_targets.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "shoal/assert.h"
#include "shoal/random.h"

namespace shoal {
namespace {

uint64_t rank_of(uint32_t shard, uint64_t what) {
  return Random(what ^ uint64_t{shard} << 32).next();
}

struct Claimant {
  uint64_t key = 0;  // decides between equals
  uint64_t weight = 1;
  uint32_t least = 0;
  uint32_t most = 0;
};

std::vector<uint32_t> shares(uint32_t total, const std::vector<Claimant>& claimants) {
  std::vector<uint32_t> shares;
  for (const Claimant& each : claimants) shares.push_back(each.least);
  uint32_t given = std::accumulate(shares.begin(), shares.end(), 0u);
  const auto goes_before = [&](size_t a, size_t b) {
    const uint64_t of_a = (2 * uint64_t{shares[a]} + 1) * claimants[b].weight;
    const uint64_t of_b = (2 * uint64_t{shares[b]} + 1) * claimants[a].weight;
    return of_a != of_b ? of_a < of_b : claimants[a].key < claimants[b].key;
  };
  for (; given < total; ++given) {
    size_t best = claimants.size();
    for (size_t i = 0; i < claimants.size(); ++i) {
      if (shares[i] >= claimants[i].most) continue;
      if (best == claimants.size() || goes_before(i, best)) best = i;
    }
    SHOAL_ASSERT(best < claimants.size());
    ++shares[best];
  }
  return shares;
}

// Of bins with room for so many, each shard gets as many different ones as it asks for: first the pairs
// that the hash likes best, then by moving others what is still open.
class Matching {
 public:
  Matching(std::vector<uint32_t> asked, std::vector<uint32_t> room, std::vector<uint64_t> keys)
      : asked_(std::move(asked)), room_(std::move(room)), chosen_(asked_.size()) {
    for (uint32_t shard = 0; shard < asked_.size(); ++shard) {
      for (size_t bin = 0; bin < room_.size(); ++bin) {
        pairs_.push_back({rank_of(shard, keys[bin]), shard, bin});
      }
    }
    std::sort(pairs_.begin(), pairs_.end());
  }

  std::vector<std::vector<size_t>> run() {
    for (const Pair& each : pairs_) {
      if (chosen_[each.shard].size() == asked_[each.shard] || room_[each.bin] == 0) continue;
      --room_[each.bin];
      chosen_[each.shard].push_back(each.bin);
    }
    for (uint32_t shard = 0; shard < asked_.size(); ++shard) {
      while (chosen_[shard].size() < asked_[shard]) {
        std::vector<bool> seen(room_.size());
        const bool is_found = find_bin(shard, seen);
        SHOAL_ASSERT(is_found);
      }
    }
    return std::move(chosen_);
  }

 private:
  struct Pair {
    uint64_t rank;
    uint32_t shard;
    size_t bin;
    auto operator<=>(const Pair&) const = default;
  };

  bool has(uint32_t shard, size_t bin) const {
    return std::find(chosen_[shard].begin(), chosen_[shard].end(), bin) != chosen_[shard].end();
  }

  // A bin with room, or one of which another shard finds a bin instead. Depth: the number of bins.
  bool find_bin(uint32_t shard, std::vector<bool>& seen) {
    for (size_t bin = 0; bin < room_.size(); ++bin) {
      if (seen[bin] || has(shard, bin)) continue;
      seen[bin] = true;
      if (room_[bin] > 0) {
        --room_[bin];
        chosen_[shard].push_back(bin);
        return true;
      }
      for (uint32_t other = 0; other < asked_.size(); ++other) {
        if (other == shard || !has(other, bin) || !find_bin(other, seen)) continue;
        std::erase(chosen_[other], bin);
        chosen_[shard].push_back(bin);
        return true;
      }
    }
    return false;
  }

  const std::vector<uint32_t> asked_;
  std::vector<uint32_t> room_;
  std::vector<Pair> pairs_;  // the best first
  std::vector<std::vector<size_t>> chosen_;
};

struct Zone {
  uint64_t key = 0;
  uint64_t weight = 0;
  std::vector<TargetNode> nodes;
};

// Not std::hash, which need not be the same everywhere.
uint64_t key_of(const std::string& zone) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : zone) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return hash;
}

std::vector<Zone> zones_of(const std::vector<TargetNode>& nodes) {
  std::map<std::string, Zone> zones;
  for (const TargetNode& each : nodes) {
    Zone& zone = zones[each.zone];
    zone.key = key_of(each.zone);
    zone.weight += each.weight;
    zone.nodes.push_back(each);
  }
  std::vector<Zone> out;
  for (auto& [name, zone] : zones) out.push_back(std::move(zone));
  return out;
}

// The most replicas of one shard that a zone need have.
uint32_t most_of(const std::vector<Zone>& zones, uint32_t replicas) {
  for (uint32_t most = 1;; ++most) {
    size_t sum = 0;
    for (const Zone& each : zones) sum += std::min<size_t>(each.nodes.size(), most);
    if (sum >= replicas) return most;
  }
}

// Of each zone, how many replicas each shard has there.
std::vector<std::vector<uint32_t>> replicas_by_zone(const std::vector<Zone>& zones, uint32_t shards,
                                                    uint32_t replicas) {
  const uint32_t most = most_of(zones, replicas);
  std::vector<Claimant> claimants;
  std::vector<uint32_t> base;
  uint32_t open = replicas;
  for (const Zone& each : zones) {
    const auto size = static_cast<uint32_t>(each.nodes.size());
    base.push_back(std::min(size, most - 1));
    open -= base.back();
    claimants.push_back(
        {each.key, each.weight, base.back() * shards, std::min(size, most) * shards});
  }
  std::vector<uint32_t> more = shares(replicas * shards, claimants);
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < zones.size(); ++i) {
    more[i] -= base[i] * shards;
    keys.push_back(zones[i].key);
  }
  const auto chosen = Matching(std::vector<uint32_t>(shards, open), more, keys).run();
  std::vector<std::vector<uint32_t>> counts;
  for (const uint32_t each : base) counts.emplace_back(shards, each);
  for (uint32_t shard = 0; shard < shards; ++shard) {
    for (const size_t zone : chosen[shard]) ++counts[zone][shard];
  }
  return counts;
}

void place_in_zone(const Zone& zone, const std::vector<uint32_t>& counts,
                   std::vector<std::vector<NodeId>>& out) {
  const auto shards = static_cast<uint32_t>(counts.size());
  std::vector<Claimant> claimants;
  std::vector<uint64_t> keys;
  for (const TargetNode& each : zone.nodes) {
    claimants.push_back({rank_of(0, each.id.value), each.weight, 0, shards});
    keys.push_back(each.id.value);
  }
  const uint32_t total = std::accumulate(counts.begin(), counts.end(), 0u);
  const auto chosen = Matching(counts, shares(total, claimants), keys).run();
  for (uint32_t shard = 0; shard < shards; ++shard) {
    for (const size_t node : chosen[shard]) out[shard].push_back(zone.nodes[node].id);
  }
}

}  // namespace

uint32_t replica_count(uint32_t wanted, size_t nodes) {
  const auto count = static_cast<uint32_t>(std::min<size_t>(wanted, nodes));
  return count % 2 == 0 && count != 0 ? count - 1 : count;
}

std::vector<std::vector<NodeId>> targets(std::vector<TargetNode> nodes, uint32_t shards,
                                         uint32_t replicas) {
  std::vector<std::vector<NodeId>> out(shards);
  const uint32_t count = replica_count(replicas, nodes.size());
  if (count == 0) return out;
  for (TargetNode& each : nodes) each.weight = std::max(each.weight, 1u);
  std::sort(nodes.begin(), nodes.end(),
            [](const TargetNode& a, const TargetNode& b) { return a.id < b.id; });
  const std::vector<Zone> zones = zones_of(nodes);
  const auto counts = replicas_by_zone(zones, shards, count);
  for (size_t i = 0; i < zones.size(); ++i) place_in_zone(zones[i], counts[i], out);
  for (auto& each : out) std::sort(each.begin(), each.end());
  return out;
}

}  // namespace shoal
