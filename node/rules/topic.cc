#include "node/rules/topic.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace shoal {

bool has_wildcard(std::string_view filter) {
  if (filter.find_first_of("+#") == std::string_view::npos) return false;
  for (TopicLevels levels(filter); !levels.done(); levels.advance()) {
    if (levels.level() == "+" || levels.level() == "#") return true;
  }
  return false;
}

bool topic_matches(std::string_view filter, std::string_view topic) {
  TopicLevels wanted(filter);
  if (is_reserved_topic(topic) && (wanted.level() == "+" || wanted.level() == "#")) return false;
  TopicLevels given(topic);
  for (; !wanted.done() && !given.done(); wanted.advance(), given.advance()) {
    if (wanted.level() == "#" && wanted.last()) return true;
    if (wanted.level() != "+" && wanted.level() != given.level()) return false;
  }
  if (!given.done()) return false;
  // "a/#" stands for "a" too.
  return wanted.done() || (wanted.level() == "#" && wanted.last());
}

std::optional<SharedFilter> parse_shared(std::string_view filter) {
  constexpr std::string_view kPrefix = "$share/";
  if (!filter.starts_with(kPrefix)) return std::nullopt;
  filter.remove_prefix(kPrefix.size());
  const size_t slash = filter.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const SharedFilter parsed{filter.substr(0, slash), filter.substr(slash + 1)};
  if (parsed.filter.starts_with(kPrefix)) return std::nullopt;
  return parsed;
}

uint64_t client_id_hash(std::string_view client_id, uint64_t seed) {
  const uint64_t hash = XXH3_64bits_withSeed(client_id.data(), client_id.size(), seed);
  return hash == 0 ? 1 : hash;
}

}  // namespace shoal
