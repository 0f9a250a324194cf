// What was published, what of it is promised to whom, and what came: judged in the end.
//
// A payload is "SOURCE:NUMBER". Numbers ascend through the whole run, so they say what was published
// before what.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "shoal/types.h"

namespace shoal::replica::test {

// A subscription, and what came by it.
struct Reader {
  std::string id;
  Qos qos = Qos::k1;
  bool shares = false;                // it is one of the group's members
  uint64_t first = UINT64_MAX;        // of what it is owed: its SUBACK came before
  std::vector<std::string> received;  // the first time, in order
  std::set<std::string> seen;
  std::set<std::string> fresh;  // without DUP

  bool wants() const { return first != UINT64_MAX; }
};

class Promises {
 public:
  explicit Promises(uint64_t published) : published_(published) {}

  std::string publish(const std::string& source) {
    return source + ":" + std::to_string(++published_);
  }
  uint64_t published() const { return published_; }
  // It is acknowledged: to all who have a subscription of their own, or to the group.
  void promise(const std::string& payload) { plain_.insert(payload); }
  void promise_group(const std::string& payload) { group_.insert(payload); }
  uint64_t promised() const { return plain_.size() + group_.size(); }
  const std::set<std::string>& plain() const { return plain_; }
  const std::set<std::string>& group() const { return group_; }
  // Of a payload.
  static uint64_t number_of(const std::string& payload);

  void check(const std::vector<const Reader*>& readers, std::vector<std::string>& violations) const;

 private:
  static void check_order(const Reader& reader, std::vector<std::string>& violations);
  void check_group(const std::vector<const Reader*>& members,
                   std::vector<std::string>& violations) const;

  uint64_t published_;
  std::set<std::string> plain_;
  std::set<std::string> group_;
};

}  // namespace shoal::replica::test
