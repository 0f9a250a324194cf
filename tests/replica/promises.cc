#include "tests/replica/promises.h"

#include <algorithm>

namespace shoal::replica::test {
namespace {

std::string source_of(const std::string& payload) { return payload.substr(0, payload.find(':')); }

}  // namespace

uint64_t Promises::number_of(const std::string& payload) {
  return std::stoull(payload.substr(payload.find(':') + 1));
}

void Promises::check(const std::vector<const Reader*>& readers,
                     std::vector<std::string>& violations) const {
  std::vector<const Reader*> members;
  for (const Reader* const each : readers) {
    if (!each->wants()) violations.push_back(each->id + " never got its SUBACK");
    if (each->shares) {  // what another gave back, unsent, comes behind later ones
      members.push_back(each);
      continue;
    }
    check_order(*each, violations);
    for (const std::string& payload : plain_) {
      if (number_of(payload) < each->first || each->seen.contains(payload)) continue;
      violations.push_back(each->id + " misses " + payload);
    }
  }
  if (!members.empty()) check_group(members, violations);
}

// Of each source, the first time; what comes again comes in order too, which the numbers of messages
// on a connection say.
void Promises::check_order(const Reader& reader, std::vector<std::string>& violations) {
  std::map<std::string, uint64_t> last;
  for (const std::string& payload : reader.received) {
    uint64_t& before = last[source_of(payload)];
    if (number_of(payload) < before) {
      violations.push_back(reader.id + ": " + payload + " behind a later one");
    }
    before = std::max(before, number_of(payload));
  }
}

// A message is one member's.
void Promises::check_group(const std::vector<const Reader*>& members,
                           std::vector<std::string>& violations) const {
  uint64_t first = UINT64_MAX;
  std::map<std::string, std::string> had;
  for (const Reader* const member : members) {
    first = std::min(first, member->first);
    for (const std::string& payload : member->seen) {
      const auto [it, is_new] = had.try_emplace(payload, member->id);
      if (!is_new) violations.push_back(member->id + ", " + it->second + ": both got " + payload);
    }
  }
  for (const std::string& payload : group_) {
    if (number_of(payload) >= first && !had.contains(payload)) {
      violations.push_back("no member got " + payload);
    }
  }
}

}  // namespace shoal::replica::test
