// Finds the wildcard filters that match a topic.
//
// The tree of levels is not linked together: a node is known by a 64 bit hash of its path, and its
// child by that hash mixed with the level's. So one hash map holds the tree, no level's text is kept
// or looked up, and the children of all paths that a topic can still take are found side by side.
// Hashes may collide: what is found is a candidate, whose text the caller compares; and of two
// filters of one hash (one chance in 10^7 with a million filters) the second is kept outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace shoal {

class WildcardTree {
 public:
  // `hash_mask`: tests leave few bits, so that hashes do collide.
  explicit WildcardTree(uint64_t seed, uint64_t hash_mask = ~uint64_t{0})
      : seed_(seed), hash_mask_(hash_mask) {}

  // A filter is added once, with the number that find() gives.
  void add(std::string_view filter, uint32_t id);
  void remove(std::string_view filter, uint32_t id);
  // Appends the numbers of all filters that match, and perhaps of some that do not, and a number
  // perhaps twice. Topics that begin with $ get no filter that begins with a wildcard
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1].
  void find(std::string_view topic, std::vector<uint32_t>& ids);

  bool empty() const { return nodes_.empty() && outside_.empty(); }
  size_t nodes() const { return nodes_.size(); }

 private:
  struct Node {
    uint32_t literal_paths = 0;     // filters that go on from here with a literal level
    uint32_t plus_paths = 0;        // with '+'
    uint32_t ends = kNone;          // the filter that ends here
    uint32_t hash_follows = kNone;  // the filter that ends with '#' as the next level
    bool unused() const {
      return literal_paths + plus_paths == 0 && ends == kNone && hash_follows == kNone;
    }
  };
  struct PathHash {
    size_t operator()(uint64_t path) const { return path; }
  };
  struct Step {
    uint64_t path;
    bool plus;  // the level after it
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint64_t longer(uint64_t path, uint64_t level) const;
  uint64_t level_hash(std::string_view level) const;
  // Fills steps_ with the path of each level but the last one's, and gives the node that holds
  // the filter. `hash`: whether by '#'.
  uint64_t walk(std::string_view filter, bool& hash);
  void find_children(uint64_t level, bool wildcards);

  const uint64_t seed_;
  const uint64_t hash_mask_;
  absl::flat_hash_map<uint64_t, Node, PathHash> nodes_;
  std::vector<uint32_t> outside_;  // filters whose place another has
  // Kept between calls, so that they allocate nothing.
  std::vector<Step> steps_;
  std::vector<std::pair<uint64_t, const Node*>> here_;
  std::vector<uint64_t> children_;
};

}  // namespace shoal
