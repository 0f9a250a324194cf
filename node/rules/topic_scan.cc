#include "node/rules/topic_scan.h"

#include <algorithm>

#include "node/rules/topic.h"

namespace shoal {
namespace {

// '/' before every other byte.
int rank(char c) { return c == '/' ? -1 : static_cast<unsigned char>(c); }

// The first text after all levels that begin with '$'.
constexpr std::string_view kAfterReserved = "%";
static_assert('%' == '$' + 1);

}  // namespace

int compare_topics(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end() || in_b == b.end()) return (in_b == b.end()) - (in_a == a.end());
  return rank(*in_a) - rank(*in_b);
}

TopicScan::TopicScan(std::string_view filter) {
  for (TopicLevels each(filter); !each.done(); each.advance()) levels_.push_back(each.level());
}

std::string TopicScan::shortest_from(size_t at) const {
  std::string text;
  for (size_t i = at; i < levels_.size() && levels_[i] != "#"; ++i) {
    if (i != at) text += '/';
    if (levels_[i] != "+") text += levels_[i];
  }
  return text;
}

TopicScan::Step TopicScan::seek(std::string_view prefix, std::string_view rest) {
  seek_to_.assign(prefix);
  seek_to_ += rest;
  return Step::kGoOn;
}

TopicScan::Step TopicScan::past_last_plus(std::string_view topic, size_t level) {
  size_t last = level;
  while (last > 0 && levels_[last - 1] != "+") --last;
  if (last == 0) return Step::kEnd;
  size_t end = 0;  // of the level with that '+'
  for (size_t i = 0; i < last; ++i) end = std::min(topic.find('/', end + (i > 0)), topic.size());
  // No topic has U+0000: nothing lies between this and the next longer text.
  return seek(topic.substr(0, end), std::string_view("\0", 1));
}

// [MQTT5-4.7.2-1] [MQTT311-4.7.2-1] is the case of is_reserved_topic.
TopicScan::Step TopicScan::look_at(std::string_view topic) {
  if (is_reserved_topic(topic) && (levels_[0] == "+" || levels_[0] == "#")) {
    return seek(kAfterReserved, "");
  }
  size_t level = 0;
  for (TopicLevels given(topic); !given.done(); given.advance(), ++level) {
    if (level == levels_.size()) return past_last_plus(topic, level);
    const std::string_view wanted = levels_[level];
    if (wanted == "#") return Step::kMatches;
    if (wanted == "+") continue;
    const int order = given.level().compare(wanted);
    if (order > 0) return past_last_plus(topic, level);
    const size_t begin = static_cast<size_t>(given.level().data() - topic.data());
    if (order < 0) return seek(topic.substr(0, begin), shortest_from(level));
  }
  if (level == levels_.size() || levels_[level] == "#") return Step::kMatches;
  return seek(topic, '/' + shortest_from(level));
}

}  // namespace shoal
