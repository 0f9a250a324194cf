// Walks sorted topics for those that a filter matches, without looking at the others.
//
// Topics are in level order: compared level by level, so that a topic stands directly before those
// below it and all that have the same first levels stand together. Whoever walks them asks of each
// topic it meets whether it matches, and if not, from where on the next that does can stand; the
// walk costs a search for each different text that a '+' can have, and a step for each match.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace shoal {

// Negative, 0 or positive.
int compare_topics(std::string_view a, std::string_view b);

class TopicScan {
 public:
  // A plain filter; it outlives this.
  explicit TopicScan(std::string_view filter);

  // Before the first topic that can match.
  std::string first() const { return shortest_from(0); }

  enum class Step {
    kMatches,
    kGoOn,  // at the first topic that is not before seek_to()
    kEnd,   // no later topic matches
  };
  Step look_at(std::string_view topic);
  const std::string& seek_to() const { return seek_to_; }

 private:
  // The first in level order of all texts that match the filter from level `at` on.
  std::string shortest_from(size_t at) const;
  Step seek(std::string_view prefix, std::string_view rest);
  // Past all topics that have the text of the last '+' which [0, level) of `topic` took.
  Step past_last_plus(std::string_view topic, size_t level);

  std::vector<std::string_view> levels_;
  std::string seek_to_;
};

}  // namespace shoal
