// Who gets what at the floor: a topic's targets are looked for once and then remembered.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace shoal::floor {

// One subscriber, or the members of a shared subscription, which take turns.
struct Target {
  std::string group;
  std::string filter;
  std::vector<void*> members;
  mutable size_t turn = 0;

  void* pick() const { return members.size() == 1 ? members[0] : members[turn++ % members.size()]; }
};

class Topics {
 public:
  void subscribe(std::string_view filter, void* subscriber) {
    Target target;
    if (filter.starts_with("$share/")) {
      filter.remove_prefix(7);
      target.group = filter.substr(0, filter.find('/'));
      filter.remove_prefix(target.group.size() + 1);
    }
    target.filter = filter;
    target.members = {subscriber};
    // By its last level where that is no wildcard: few filters are then compared with a topic.
    auto& bucket = filters_[last_level_of(filter)];
    cache_.clear();
    for (Target& other : bucket) {
      if (target.group.empty() || other.group != target.group || other.filter != filter) continue;
      other.members.push_back(subscriber);
      return;
    }
    bucket.push_back(std::move(target));
  }

  void forget(void* subscriber) {
    for (auto& [last, bucket] : filters_) {
      for (Target& target : bucket) std::erase(target.members, subscriber);
      if (std::erase_if(bucket, [](const Target& t) { return t.members.empty(); }) > 0) {
        cache_.clear();
      }
    }
    cache_.clear();
  }

  const std::vector<Target>& targets_of(std::string_view topic) {
    const auto found = cache_.find(topic);
    if (found != cache_.end()) return found->second;
    std::vector<Target> targets;
    for (const std::string& last : {last_level_of(topic), std::string("+"), std::string("#")}) {
      const auto bucket = filters_.find(last);
      if (bucket == filters_.end()) continue;
      for (const Target& each : bucket->second) {
        if (matches(each.filter, topic)) targets.push_back(each);
      }
    }
    return cache_.emplace(std::string(topic), std::move(targets)).first->second;
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  static std::string last_level_of(std::string_view text) {
    return std::string(text.substr(text.rfind('/') + 1));
  }

  static bool matches(std::string_view filter, std::string_view topic) {
    while (true) {
      const size_t filter_end = std::min(filter.find('/'), filter.size());
      const size_t topic_end = std::min(topic.find('/'), topic.size());
      const auto level = filter.substr(0, filter_end);
      if (level == "#") return true;
      if (level != "+" && level != topic.substr(0, topic_end)) return false;
      const bool is_filter_over = filter_end == filter.size();
      if (is_filter_over || topic_end == topic.size()) {
        return is_filter_over && topic_end == topic.size();
      }
      filter.remove_prefix(filter_end + 1);
      topic.remove_prefix(topic_end + 1);
    }
  }

  std::unordered_map<std::string, std::vector<Target>> filters_;
  std::unordered_map<std::string, std::vector<Target>, Hash, std::equal_to<>> cache_;
};

}  // namespace shoal::floor
