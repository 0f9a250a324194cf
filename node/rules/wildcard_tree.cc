#include "node/rules/wildcard_tree.h"

#include <algorithm>

#include "node/rules/topic.h"
#include "node/rules/topic_hash.h"
#include "shoal/assert.h"

namespace shoal {
namespace {
constexpr uint64_t kRootPath = 0x510E527FADE682D1;
}

uint64_t WildcardTree::longer(uint64_t path, uint64_t level) const {
  return longer_path(path, level) & hash_mask_;
}

uint64_t WildcardTree::level_hash(std::string_view level) const {
  return level == "+" ? kPlusLevel : text_hash(level, seed_);
}

uint64_t WildcardTree::walk(std::string_view filter, bool& hash) {
  steps_.clear();
  hash = false;
  uint64_t path = kRootPath & hash_mask_;
  for (TopicLevels levels(filter); !levels.done(); levels.advance()) {
    if (levels.last() && levels.level() == "#") {
      hash = true;
      break;
    }
    steps_.push_back({path, levels.level() == "+"});
    path = longer(path, level_hash(levels.level()));
  }
  return path;
}

void WildcardTree::add(std::string_view filter, uint32_t id) {
  bool hash;
  const uint64_t last = walk(filter, hash);
  Node& node = nodes_[last];
  uint32_t& place = hash ? node.hash_follows : node.ends;
  if (place != kNone) {
    outside_.push_back(id);
    return;
  }
  place = id;
  for (const Step& step : steps_) {
    Node& on_path = nodes_[step.path];
    ++(step.plus ? on_path.plus_paths : on_path.literal_paths);
  }
}

void WildcardTree::remove(std::string_view filter, uint32_t id) {
  bool hash;
  const uint64_t last = walk(filter, hash);
  const auto found = nodes_.find(last);
  const bool here =
      found != nodes_.end() && (hash ? found->second.hash_follows : found->second.ends) == id;
  if (!here) {
    const auto removed = std::find(outside_.begin(), outside_.end(), id);
    SHOAL_ASSERT(removed != outside_.end());
    outside_.erase(removed);
    return;
  }
  (hash ? found->second.hash_follows : found->second.ends) = kNone;
  if (found->second.unused()) nodes_.erase(found);
  for (const Step& step : steps_) {
    const auto on_path = nodes_.find(step.path);
    SHOAL_ASSERT(on_path != nodes_.end());
    --(step.plus ? on_path->second.plus_paths : on_path->second.literal_paths);
    if (on_path->second.unused()) nodes_.erase(on_path);
  }
}

// From the nodes in here_ to their children along `level`, which become here_. All keys are known
// before the first is looked up, so that the memory of each is on its way meanwhile.
void WildcardTree::find_children(uint64_t level, bool wildcards) {
  children_.clear();
  for (const auto& [path, node] : here_) {
    if (node->literal_paths != 0) children_.push_back(longer(path, level));
    if (node->plus_paths != 0 && wildcards) children_.push_back(longer(path, kPlusLevel));
  }
  for (const uint64_t path : children_) nodes_.prefetch(path);
  here_.clear();
  for (const uint64_t path : children_) {
    const auto found = nodes_.find(path);
    if (found != nodes_.end()) here_.emplace_back(path, &found->second);
  }
}

void WildcardTree::find(std::string_view topic, std::vector<uint32_t>& ids) {
  ids.insert(ids.end(), outside_.begin(), outside_.end());
  here_.clear();
  const auto root = nodes_.find(kRootPath & hash_mask_);
  if (root != nodes_.end()) here_.emplace_back(root->first, &root->second);
  bool wildcards = !is_reserved_topic(topic);
  for (TopicLevels levels(topic); !levels.done() && !here_.empty(); levels.advance()) {
    for (const auto& [path, node] : here_) {
      if (node->hash_follows != kNone && wildcards) ids.push_back(node->hash_follows);
    }
    find_children(level_hash(levels.level()), wildcards);
    wildcards = true;
  }
  for (const auto& [path, node] : here_) {
    if (node->ends != kNone) ids.push_back(node->ends);
    if (node->hash_follows != kNone) ids.push_back(node->hash_follows);
  }
}

}  // namespace shoal
