// Topic names and filters, level by level (5.0 and 3.1.1: 4.7). Texts are compared byte by byte,
// never normalised [MQTT5-4.7.3-4] [MQTT311-4.7.3-4]. Whether a text is well-formed was checked by
// the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal {

// The levels of a name or filter, first to last; a text has one more than it has '/'.
//   for (TopicLevels levels(topic); !levels.done(); levels.advance()) use(levels.level());
class TopicLevels {
 public:
  explicit TopicLevels(std::string_view text) : text_(text), end_(find_end(0)) {}

  bool done() const { return done_; }
  std::string_view level() const { return text_.substr(begin_, end_ - begin_); }
  bool last() const { return end_ == text_.size(); }
  void advance() {
    if (last()) {
      done_ = true;
      return;
    }
    begin_ = end_ + 1;
    end_ = find_end(begin_);
  }

 private:
  size_t find_end(size_t from) const {
    const size_t slash = text_.find('/', from);
    return slash == std::string_view::npos ? text_.size() : slash;
  }

  std::string_view text_;
  size_t begin_ = 0;
  size_t end_;
  bool done_ = false;
};

// `filter` has a '+' or a '#' as a whole level.
bool has_wildcard(std::string_view filter);

// Whether a plain filter (not "$share/...") matches a topic name.
bool topic_matches(std::string_view filter, std::string_view topic);

// A topic that filters with a wildcard at their beginning do not match [MQTT5-4.7.2-1]
// [MQTT311-4.7.2-1].
inline bool is_reserved_topic(std::string_view topic) { return topic.starts_with('$'); }

struct SharedFilter {
  std::string_view name;
  std::string_view filter;
};
// The parts of "$share/NAME/FILTER" (5.0: 4.8.2); none for a plain filter. A FILTER that is shared
// itself makes no sense: that text is a plain filter too.
std::optional<SharedFilter> parse_shared(std::string_view filter);

// XXH3, 64 bits; never 0. What MessageView::publisher holds: two clients of one hash would only
// miss each other's messages on a No Local subscription.
uint64_t client_id_hash(std::string_view client_id, uint64_t seed);

}  // namespace shoal
