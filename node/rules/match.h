// Who gets the messages of one topic, as one worker sees it: its own sessions, the other places,
// and the shared subscriptions of which one place is to be picked. Made and kept by Router.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "node/rules/subscription.h"
#include "shoal/types.h"

namespace shoal {

class Match;
class SharedGroup;

struct MatchDeleter {
  void operator()(Match* match) const;
};
using MatchPtr = std::unique_ptr<Match, MatchDeleter>;

// One session of this worker, however many of its subscriptions match: one delivery at the highest
// of their QoS [MQTT5-3.3.4-2] with all their identifiers [MQTT5-3.3.4-4]. Where they differ in
// Retain As Published, one that asks for it decides.
struct LocalTarget {
  SessionIndex session = 0;
  Qos qos = Qos::k0;  // granted; the delivery is at the lower of it and the message's
  bool retain_as_published = false;
  // Some or all of its subscriptions are No Local: when this session itself is the publisher,
  // Match::own_target() holds instead of this.
  bool no_local = false;
  uint32_t identifiers_begin = 0;  // into the Match's own list: see Match::identifiers()
  uint32_t identifiers_count = 0;
};

// The workers of one node whose sessions want the topic. Node kSelf: other workers of this node.
struct RemoteTarget {
  uint64_t worker_mask = 0;
  NodeSlot node = kSelf;
};

// One allocation: this header, then the lists and the topic.
class Match {
 public:
  Match(const Match&) = delete;
  Match& operator=(const Match&) = delete;

  std::string_view topic() const;
  // Nobody at all.
  bool empty() const { return sizes_.targets + sizes_.remotes + sizes_.groups == 0; }
  std::span<const LocalTarget> targets() const;
  std::span<const uint32_t> identifiers(const LocalTarget& target) const;
  // What a session with a `no_local` target gets of what it published itself; null: nothing
  // [MQTT5-3.8.3-3].
  const LocalTarget* own_target(SessionIndex session) const;
  std::span<const RemoteTarget> remotes() const;
  std::span<SharedGroup* const> groups() const;

 private:
  friend class MatchBuilder;
  friend class MatchCache;
  friend class Router;
  struct Sizes {
    uint32_t groups = 0;
    uint32_t remotes = 0;
    uint32_t targets = 0;
    uint32_t own_targets = 0;
    uint32_t identifiers = 0;
    uint32_t topic = 0;
  };

  explicit Match(const Sizes& sizes) : sizes_(sizes) {}
  static MatchPtr create(const Sizes& sizes);
  static size_t bytes_of(const Sizes& sizes);
  size_t bytes() const { return bytes_of(sizes_); }
  // The lists stand in the order of Sizes.
  template <class Element>
  static Element* list_at(const void* begin);
  SharedGroup** group_list() const;
  RemoteTarget* remote_list() const;
  LocalTarget* target_list() const;
  LocalTarget* own_target_list() const;
  uint32_t* identifier_list() const;
  char* topic_text() const;

  static constexpr uint64_t kOutOfDate = UINT64_MAX;
  uint64_t generation_ = kOutOfDate;  // Generations::sum() when it was made
  uint64_t hash_ = 0;                 // of the topic
  uint32_t cells_ = 0;                // for Generations::sum()
  Sizes sizes_;
};

}  // namespace shoal
