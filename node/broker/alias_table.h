// The topic aliases that this server has set to one client (5.0: 3.3.2.3.4): the topics that the
// client gets most often, as far as "not for a long time" can tell: a new topic takes the place of
// the one that was used least recently.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal {

class AliasTable {
 public:
  // 1 to `aliases_max` may be used [MQTT5-3.1.2-26] [MQTT5-3.3.2-11].
  explicit AliasTable(uint16_t aliases_max) : aliases_max_(aliases_max) {}

  struct Use {
    uint16_t alias = 0;
    bool known = false;  // the client has it: the topic may be left out
  };
  // What set() would do, without doing it: the packet may turn out too large to be sent.
  Use look_up(std::string_view topic) const;
  // The packet with `use` is sent.
  void set(std::string_view topic, const Use& use);

 private:
  struct Entry {
    uint64_t hash = 0;
    uint64_t used_at = 0;
    std::string topic;
  };
  static uint64_t hash_of(std::string_view topic);

  std::vector<Entry> entries_;  // [alias - 1]
  uint64_t uses_ = 0;
  uint16_t aliases_max_;
};

}  // namespace shoal
